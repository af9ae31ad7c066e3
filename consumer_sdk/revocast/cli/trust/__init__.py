"""`revocast trust`: what the holder of the root key decides, from the first delegation list to break-glass."""
