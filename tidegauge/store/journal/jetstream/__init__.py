"""A journal for several hosts: a stream of NATS JetStream, which orders and replicates, and a copy of it on each host.

    journal.append --> connection.publish --> stream --> replication --> copy --> windows, on every host

``message.py`` says what lies in the stream, ``watch.py`` whether it is still the same, ``lease.py`` which host samples,
``transfer.py`` brings a file in and out.
"""
