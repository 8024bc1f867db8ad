"""How good a model is: classification and localization on photographs whose truth is known."""
