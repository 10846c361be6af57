"""A folder that Apache serves: its files are whole, renamed into place, and of a size that only grows."""

import gzip
from pathlib import Path

BLOCK_BYTES = 4096


class ServedFolder:
    """A served folder. Has no lock: one thread writes it.

    Args:
        path: what is served. The staging folder lies beside it, on the same file system and not served.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._staging = path.parent / "staging"
        self._sizes: dict[str, int] = {}  # bytes a plain file has, padding included

    def make_folder(self, name: str = "") -> None:
        """Make the folder, in it the one called *name*, and the staging folder, where they are not there."""
        self._staging.mkdir(parents=True, exist_ok=True)
        (self.path / name).mkdir(parents=True, exist_ok=True)

    def replace(self, name: str, body: bytes) -> None:
        """Put *body* in the place of the file *name*, at once and whole."""
        staged = self._staging / name.replace("/", ".")
        try:
            staged.write_bytes(body)
            staged.replace(self.path / name)
        except FileNotFoundError:  # somebody has removed a folder: there in the next round
            self.make_folder(str(Path(name).parent))
            raise

    def replace_packed(self, name: str, body: bytes, level: int = 9) -> None:
        """Put *body* by gzip in the place of the file beside *name* that is sent to browsers that take it."""
        self.replace(f"{name}.gz", gzip.compress(body, level, mtime=0))

    def replace_plain(self, name: str, body: bytes) -> None:
        """Put *body*, with spaces up to the size that the file has, in the place of the file *name*.

        Apache stats a file before it opens it; across a rename it can send new bytes under the old
        length. So a plain file keeps its size. It only ever grows, with slack, so that this is rare.
        """
        size = self._sizes.get(name) or self._size_on_disk(name)
        if len(body) > size:
            size = -(-len(body) * 5 // 4 // BLOCK_BYTES) * BLOCK_BYTES
        self._sizes[name] = size
        self.replace(name, body.ljust(size))

    def _size_on_disk(self, name: str) -> int:
        try:
            return (self.path / name).stat().st_size
        except FileNotFoundError:
            return 0
