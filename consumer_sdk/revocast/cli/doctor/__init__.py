"""`revocast doctor`: would a service with this environment work, and if not, why, in plain words with the mend."""
