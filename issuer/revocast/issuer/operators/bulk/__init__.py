"""Files of revocations over HTTP: unpacked, split and read as they come, written window by window, answered meanwhile."""
