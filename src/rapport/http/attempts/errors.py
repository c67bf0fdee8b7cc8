"""What is answered when the budget of failed attempts is used up."""

from rapport.core.errors import RapportError


class TooManyAttempts(RapportError):
    """Too many codes were tried in vain; `retry_after_s` says when the next one may be."""

    code = 429
    key = "too_many_requests"
    message = "Too many requests hit the API too quickly."

    def __init__(self, retry_after_s: int) -> None:
        """Say when to try again."""
        super().__init__(f"Too many codes were tried in vain; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s
