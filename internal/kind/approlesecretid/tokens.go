package approlesecretid

import (
	"rollcall/internal/vault/minted"
)

// notOf finds the tokens of a role that the secret-id with the tag did not
// mint.
func notOf(r role, tag string) func(minted.Token) bool {
	return func(t minted.Token) bool {
		return t.Path == "auth/"+r.mount+"/login" && t.Meta["role_name"] == r.name && (tag == "" || t.Meta[tagKey] != tag)
	}
}
