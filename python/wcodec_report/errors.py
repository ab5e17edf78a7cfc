"""The one error a user sees: what is wrong, where, and what to do."""


class ReportError(Exception):
    """An input that no report can be made from; its text is one sentence fit for the terminal."""
