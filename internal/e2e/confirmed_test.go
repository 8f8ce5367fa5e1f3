package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
)

// A person's word for a path is about what he looked at: somebody keeps another
// account's password there since the campaign that used that word, so list and
// plan say that it counts no more, and run does as they say. Another word, for
// the version that is there, counts.
func TestAConfirmationIsForWhatWasThereWhenItWasFirstUsed(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1, Bystanders: 1})
	other := bystanderOf(e)
	theirs := e.Bystanders[other.DN].Reveal()
	require.NotEmpty(t, theirs)
	a := accountsNamed(e, "svc-esg-")[0]
	mail := credential.Path{Mount: "kv", Path: "apps/mail", Field: "password"}
	write := func(fields map[string]any) (at string) {
		got, err := e.Vault.Client().Logical().Write("kv/data/apps/mail", map[string]any{"data": fields})
		require.NoError(t, err)
		return got.Data["created_time"].(string)
	}
	write(map[string]any{"password": "something-stale-1"})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	plain := readFile(t, file)
	confirm := func(more string) {
		line := fmt.Sprintf("confirm:\n  - {account: '%s', path: '%s', %sreason: the mail team reads it}\n", a.DN, mail, more)
		require.NoError(t, os.WriteFile(file, []byte(plain+line), 0o600))
	}
	confirm("")
	u := newUser(t, e, file)
	u.must("init")
	u.must("run")
	require.True(t, binds(t, e, a.Servers[0], a.DN, readNow(t, e, mail)), "the word counts for what was there")

	written := write(map[string]any{"username": other.uid(), "password": theirs})
	for _, more := range []string{"", "version: 1, written: " + written + ", ", "version: 3, "} {
		confirm(more)
		for _, command := range []string{"list", "plan"} {
			said := u.run(command)
			require.Contains(t, strings.Join(strings.Fields(said.out+said.err), " "), "it holds version 3, of "+written[:len("2026-11-29T12:00:00")]+"Z: if the account does not accept that, it stays as it is; look whose it is now, and confirm that (version: 3, written: "+written[:len("2026-11-29T12:00:00")]+"Z), or exclude the path", command)
		}
		run := u.run("run")
		require.Equal(t, 2, run.code, run.out+run.err)
		line := u.ledger().Credential(a.ID)
		require.Equal(t, ledger.Dead, line.Outcome, "%v", line)
		require.Contains(t, codes(line), credential.FindingPathRefused)
		require.Equal(t, theirs, readNow(t, e, mail).Reveal(), "who reads it is not cut off")
		require.True(t, binds(t, e, a.Servers[0], a.DN, readNow(t, e, e.Live[a.ID])))
	}
	confirm("version: 3, written: " + written + ", ")
	u.must("run")
	require.True(t, binds(t, e, a.Servers[0], a.DN, readNow(t, e, mail)))

	// Deleted with its metadata and made anew for another account, it counts
	// its versions from 1 again: nobody has looked at this version 3.
	_, err = e.Vault.Client().Logical().Delete("kv/metadata/apps/mail")
	require.NoError(t, err)
	for range 3 {
		write(map[string]any{"username": other.uid(), "password": theirs})
	}
	run := u.run("run")
	require.Equal(t, 2, run.code, run.out+run.err)
	require.Contains(t, codes(u.ledger().Credential(a.ID)), credential.FindingPathRefused)
	require.Equal(t, theirs, readNow(t, e, mail).Reveal(), "who reads it is not cut off")
}
