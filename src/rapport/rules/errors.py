"""What can be wrong with a validation rule."""

from rapport.core.errors import RapportError


class InvalidValidationRules(RapportError):
    """The rules name something that Rapport does not know, or say it wrongly."""

    key = "invalid_validation_rules"
    message = "Invalid Validation Rule Definition"
