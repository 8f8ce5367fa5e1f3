package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// Whoever writes the neighbour's name would have that one accepted as open, and
// the one that he meant would go to another owner.
func TestWhatIsDeadCannotBeAcceptedAsOpen(t *testing.T) {
	at := time.Date(2026, 11, 30, 17, 45, 39, 0, time.UTC)
	open := ownmount.Fate{Credential: credential.Credential{ID: "corp/1", Name: "uid=svc-scan"}, At: credential.Ref{Page: 1, Index: 2}}
	whole := ownmount.Fate{Credential: credential.Credential{ID: "corp/2", Name: "uid=esg-smtp"}, DeadAt: at}
	some := ownmount.Fate{Credential: credential.Credential{ID: "corp/3", Name: "uid=esg-mail"}, DeadAt: at, Some: true}
	aside := ownmount.Fate{Credential: credential.Credential{ID: "corp/4", Name: "uid=esg-web"}, DeadAt: at, Aside: true}
	roll := []ownmount.Fate{open, whole, some, aside}
	for _, dead := range []ownmount.Fate{whole, some, aside} {
		for _, name := range []string{dead.Name, dead.ID} {
			_, err := itemsIn(roll, "c1", []saidOfItem{{Name: "uid=svc-scan"}, {Name: name, line: 3}}, "items.yaml")
			require.ErrorContains(t, err, "items.yaml:3: name: \""+name+"\" is dead since 2026-11-30T17:45:39Z")
			require.ErrorContains(t, err, "nothing was done")
		}
	}
	items, err := itemsIn(roll, "c1", []saidOfItem{{Name: "UID=svc-scan", Owner: "jo"}}, "items.yaml")
	require.NoError(t, err)
	require.Equal(t, credential.Ref{Page: 1, Index: 2}, items[0].Ref)
}
