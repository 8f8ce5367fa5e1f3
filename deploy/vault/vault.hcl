# File storage on a named volume. One node; nothing fails over.
storage "file" {
  path = "/vault/file"
}

listener "tcp" {
  address         = "0.0.0.0:8200"
  tls_cert_file   = "/tls/server.crt"
  tls_key_file    = "/tls/server.key"
  tls_min_version = "tls12"
}

api_addr      = "https://vault:8200"
disable_mlock = true
