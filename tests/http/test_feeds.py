from collections.abc import Callable

from flask.testing import FlaskClient

from tidegauge.server.owner import Owner


def test_a_feed_is_the_file_with_the_headers_of_apache(client: FlaskClient, owner: Owner) -> None:
    owner.stop()
    for file in ("tail.json", "window.json"):
        answer = client.get(f"/feeds/server/{file}")
        assert answer.data == (owner.run_folder.feeds / "server" / file).read_bytes()
        assert answer.headers["Cache-Control"] == "max-age=1"
        assert "Last-Modified" not in answer.headers
        again = client.get(f"/feeds/server/{file}", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")


def test_series_are_read_back_by_cursor(client: FlaskClient, eventually: Callable[..., None]) -> None:
    def read(since: int) -> dict[str, list[float]]:
        answer = client.get(f"/api/series?name=process.memory&since={since}").json
        assert answer is not None
        return dict(answer)

    eventually(lambda: len(read(0)["seq"]) >= 2)
    everything = read(0)
    cursor = int(everything["seq"][0])
    assert read(cursor)["seq"][: len(everything["seq"]) - 1] == everything["seq"][1:]
    assert everything["v"][0] is None


def test_all_series_are_listed_with_their_newest_value(client: FlaskClient, eventually: Callable[..., None]) -> None:
    def newest() -> dict[str, float]:
        answer = client.get("/api/series").json
        assert answer is not None
        return {one["name"]: one["value"] for one in answer["series"]}

    eventually(lambda: newest()["process.memory"])
    journal = {"journal.samples", "journal.commit_time", "journal.size"}
    assert set(newest()) == {"process.cpu", "process.memory", *journal}
    eventually(lambda: newest()["journal.size"] and newest()["journal.samples"])
