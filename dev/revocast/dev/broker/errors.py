class BrokerError(Exception):
    """A broker could not be had or did what nobody asked for; the message says what to do now."""
