package listing

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
)

// logins is a door that keeps the names it was asked about.
type logins struct{ names []string }

func (l *logins) Ask(_ context.Context, login string, _ credential.Secret) door.Said {
	l.names = append(l.names, login)
	return door.Said{Reply: protocol.Refused}
}

func (*logins) Software(context.Context) (string, error) { return "", nil }

// Vault counts the wrong logins of a role, and locks it.
func TestTheLookAboutNobodyShowsNoLoginThatIsSomebodys(t *testing.T) {
	for _, row := range []struct {
		at   door.Settings
		name string
	}{
		{door.Settings{Type: "vault", Auth: door.ByAppRole, Login: "7f2c-real"}, "^rollcall-nobody-[A-Z2-7]{8}$"},
		{door.Settings{Type: "imaps", Login: "{account}@example.org"}, "^rollcall-nobody-[A-Z2-7]{8}@example.org$"},
		{door.Settings{Type: "ldaps", Login: "{name}"}, "^cn=rollcall-nobody-[A-Z2-7]{8}$"},
		{door.Settings{Type: "vault", Auth: door.ByToken}, "^$"},
	} {
		l := &logins{}
		_, err := AskNobody(t.Context(), &opened.Door{Door: l}, row.at)
		require.NoError(t, err)
		require.Len(t, l.names, 1)
		require.Regexp(t, row.name, l.names[0], "%+v", row.at)
	}

}
