package approlesecretid

import (
	"rollcall/internal/vault/minted"
)

// notOf finds the tokens of a role that the secret-id with the mark did not
// mint.
func notOf(r role, mark string) func(minted.Token) bool {
	return func(t minted.Token) bool {
		return t.Path == "auth/"+r.mount+"/login" && t.Meta["role_name"] == r.name && (mark == "" || t.Meta[tagKey] != mark)
	}
}
