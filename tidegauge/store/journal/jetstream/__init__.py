"""A journal for several hosts: a stream of NATS JetStream, which orders and replicates, and a copy of it on each host.

    journal.append --> engine --publish--> stream --streams.follow--> copy --> hub, on every host

``message.py`` says what lies in the stream, ``lease.py`` which host samples, ``move.py`` brings a file in and out.
"""
