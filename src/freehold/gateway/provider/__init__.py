"""An exchange with a provider: whom to ask, what is sent, what passes back, and what is done when one fails."""
