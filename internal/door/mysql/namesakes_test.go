package mysql

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// A name has accounts for several hosts, and the server asks the one that is
// nearest. What it refuses may be the value of another one: the stolen value is
// refused only where no account of the name has it, and where nobody can see
// that the refusal says nothing.
func TestARefusalSaysNothingOfAnotherAccountOfThatName(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	const is, was = "the new value 1", "the stolen value 1"
	by := func(value string) string { return "IDENTIFIED BY '" + value + "'" }
	using := func(plugin, value string) string { return plugin + " USING PASSWORD('" + value + "')" }
	s := &office{t: t, ca: ca, MariaDB: doortest.Start(t, lab.StartMariaDB, lab.MariaDBOptions{Dir: t.TempDir(), CA: ca, SQL: []string{
		"CREATE USER sees@'127.0.0.1' " + by("of the reader"), "GRANT SELECT ON mysql.global_priv TO sees@'127.0.0.1'",
		"CREATE USER blind@'127.0.0.1' " + by("of the reader"),
		"CREATE USER alone@'%' " + by(is),
		"CREATE ROLE role", "GRANT role TO alone@'%'",
		"CREATE USER every@'127.0.0.1' " + by(is), "CREATE USER every@'10.%' " + by(is), "CREATE USER every@'%' " + by("a third value"),
		"CREATE USER forgotten@'127.0.0.1' " + by(is), "CREATE USER forgotten@'10.%' " + by(was),
		"CREATE USER signs@'127.0.0.1' " + by(is), "CREATE USER signs@'%' IDENTIFIED VIA " + using("ed25519", was),
		"CREATE USER either@'127.0.0.1' " + by(is), "CREATE USER either@'%' IDENTIFIED VIA " + using("ed25519", is) + " OR " + using("mysql_native_password", was),
		"CREATE USER orelse@'127.0.0.1' " + by(is), "CREATE USER orelse@'%' IDENTIFIED VIA " + using("mysql_native_password", was) + " OR " + using("ed25519", is),
		"CREATE USER barred@'127.0.0.1' " + by(is), "CREATE USER barred@'%' " + by(was) + " ACCOUNT LOCK",
		"CREATE USER local@'127.0.0.1' " + by(is), "CREATE USER local@'localhost' IDENTIFIED VIA unix_socket",
		"CREATE USER pam@'127.0.0.1' " + by(is), "CREATE USER pam@'%' IDENTIFIED VIA pam USING 'held'",
		"CREATE USER admin@'127.0.0.1' " + by(is), "CREATE USER admin@'%' " + by(was), "GRANT ALL ON *.* TO admin@'127.0.0.1'",
	}})}
	ask := func(change func(*door.Settings), login string) door.Said {
		at := s.settings()
		change(&at)
		d := Open(at, func(context.Context) (credential.Secret, error) { return credential.NewSecret("of the reader"), nil })
		require.Equal(t, protocol.Refused, d.Ask(t.Context(), login, credential.NewSecret(was)).Reply, "nobody of that name has logged in yet")
		require.Equal(t, protocol.Accepted, d.Ask(t.Context(), login, credential.NewSecret(is)).Reply)
		said := d.Ask(t.Context(), login, credential.NewSecret(was))
		require.LessOrEqual(t, len(said.Code), 120)
		require.NotContains(t, said.Code, login)
		require.Equal(t, protocol.Accepted, d.Ask(t.Context(), login, credential.NewSecret(is)).Reply)
		return said
	}
	reads := func(at *door.Settings) { at.Reader = "sees" }
	for login, row := range map[string]struct {
		reply protocol.Reply
		code  string
	}{
		"alone": {protocol.Refused, ""}, "every": {protocol.Refused, ""}, "local": {protocol.Refused, ""},
		"forgotten": {protocol.Restricted, "for the host 10.% has this value"},
		"signs":     {protocol.Restricted, "for the host % has this value"},
		"either":    {protocol.Restricted, "for the host % has this value"},
		"orelse":    {protocol.Restricted, "for the host % has this value"},
		"barred":    {protocol.Restricted, "for the host % has this value"},
		"pam":       {protocol.NotThisWay, "which value that name has for the host % cannot be told"},
	} {
		said := ask(reads, login)
		require.Equal(t, row.reply, said.Reply, "%s: %s", login, said.Code)
		require.Contains(t, said.Code, row.code, login)
	}
	require.NoError(t, s.Exec(t.Context(), "ALTER USER forgotten@'10.%' "+by(is)))
	require.Equal(t, protocol.Refused, ask(reads, "forgotten").Reply)

	itself := func(*door.Settings) {}
	require.Equal(t, protocol.Restricted, ask(itself, "admin").Reply, "it may read them itself")
	for what, at := range map[string]func(*door.Settings){
		"it may not read them itself": itself,
		"nor may its reader":          func(at *door.Settings) { at.Reader = "blind" },
		"its reader is not let in":    func(at *door.Settings) { at.Reader = "of-another-name" },
	} {
		said := ask(at, "alone")
		require.Equal(t, protocol.NotThisWay, said.Reply, what)
		require.Contains(t, said.Code, "cannot be seen (reader, one_account): ", what)
		sure := func(s *door.Settings) { at(s); s.OneAccount = true }
		require.Equal(t, protocol.Refused, ask(sure, "alone").Reply, "the file says that there is one: %s", what)
	}
	require.Equal(t, protocol.Restricted, ask(func(at *door.Settings) { reads(at); at.OneAccount = true }, "barred").Reply, "what is seen outweighs what is said")

	for reader, want := range map[string]string{"sees": "", "blind": cannotRead} {
		at := s.settings()
		at.Reader = reader
		software, err := Open(at, func(context.Context) (credential.Secret, error) { return credential.NewSecret("of the reader"), nil }).Software(t.Context())
		if want == "" {
			require.NoError(t, err)
			require.Contains(t, software, "MariaDB")
			continue
		}
		require.ErrorContains(t, err, want)
	}
}
