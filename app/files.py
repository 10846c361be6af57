"""The files that Apache serves: whole, renamed into place, and of a size that only grows."""

import gzip
from pathlib import Path

BLOCK_BYTES = 4096


class Files:
    """A served folder. Has no lock: one thread writes it.

    Args:
        folder: what is served. The staging folder lies beside it, on the same file system and not served.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._staging = folder.parent / "staging"
        self._sizes: dict[str, int] = {}  # bytes a plain file has, padding included

    def make_folder(self, name: str = "") -> None:
        """Make the folder, in it the one called *name*, and the staging folder, where they are not there."""
        self._staging.mkdir(parents=True, exist_ok=True)
        (self.folder / name).mkdir(parents=True, exist_ok=True)

    def replace(self, path: str, body: bytes) -> None:
        """Put *body* in the place of the file *path*, at once and whole."""
        staged = self._staging / path.replace("/", ".")
        try:
            staged.write_bytes(body)
            staged.replace(self.folder / path)
        except FileNotFoundError:  # somebody has removed a folder: there in the next round
            self.make_folder(str(Path(path).parent))
            raise

    def replace_packed(self, path: str, body: bytes, level: int = 9) -> None:
        """Put *body* by gzip in the place of the file beside *path* that is sent to who takes it."""
        self.replace(f"{path}.gz", gzip.compress(body, level, mtime=0))

    def replace_plain(self, path: str, body: bytes) -> None:
        """Put *body*, with spaces up to the size that the file has, in the place of the file *path*.

        Apache stats a file before it opens it; across a rename it can send new bytes under the old
        length. So a plain file keeps its size. It only ever grows, with slack, so that this is rare.
        """
        size = self._sizes.get(path) or self._size_on_disk(path)
        if len(body) > size:
            size = -(-len(body) * 5 // 4 // BLOCK_BYTES) * BLOCK_BYTES
        self._sizes[path] = size
        self.replace(path, body.ljust(size))

    def _size_on_disk(self, path: str) -> int:
        try:
            return (self.folder / path).stat().st_size
        except FileNotFoundError:
            return 0
