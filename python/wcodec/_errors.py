"""The one exception of this package."""


class WcodecError(Exception):
    """What went wrong, and where.

    kind    "usage", "config", "not found", "io", "truncated", "corrupt", "unsupported", "limit", "internal",
            "cancelled", "out of memory" or "buffer too small"
    file    as it was named by the caller; "" when no file is concerned
    layer   name of the layer; "" when no single layer is concerned
    offset  byte in the file or record, None when unknown
    """

    def __init__(
        self, message: str, kind: str = "usage", file: str = "", layer: str = "", offset: int | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.file = file
        self.layer = layer
        self.offset = offset

    def __reduce__(self) -> tuple:
        return type(self), (self.args[0], self.kind, self.file, self.layer, self.offset)
