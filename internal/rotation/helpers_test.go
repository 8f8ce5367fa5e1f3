package rotation

import "rollcall/internal/credential"

func secret(value string) credential.Secret { return credential.NewSecret(value) }
