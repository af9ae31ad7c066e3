"""Keys of foreign issuers, from their JWK Sets over HTTP (RFC 7517). Needs the extra `jwks`."""
