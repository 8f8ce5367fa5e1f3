package demo

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
)

// TestInsideTheDemo looks at a demo from within, while its servers are up.
func TestInsideTheDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var said transcript
	d := &demo{Options: Options{Program: program, Keep: true, ShowSingleReset: true, Dir: t.TempDir(), Out: &said, Err: &said}, screen: newScreen(&said)}
	require.NoError(t, d.prepare(t.Context()))
	require.NoError(t, d.noDomain)
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			require.NoError(t, d.stop())
		}
	}
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	require.NoError(t, d.tell(ctx), string(said.bytes()))
	d.lastScreen()
	d.lookAround()
	require.Empty(t, d.unexpected)

	t.Run("one reset leaves the stolen password in force, two do not", func(t *testing.T) {
		require.Greater(t, d.hour.left, d.lastIn(estate.DomainName+"/"), "the one still got in at the end, the others no longer than until their second reset")
		require.Nil(t, d.state.Credential(d.estate.Single.ID), "Rollcall has nothing to do with it")
		require.Len(t, d.state.Excluded, 1)
		require.Equal(t, d.estate.Single.ID, d.state.Excluded[0].ID)
		for _, r := range d.results {
			require.NotEqual(t, d.estate.Single.ID, r.ID, "it does not count among what Rollcall rotated")
		}
	})
	t.Run("an hour that is not there is not told", func(t *testing.T) {
		last := intruder.Stamp{Time: d.hour.at.Add(4 * time.Second)}
		in := intruder.Result{ID: d.estate.Single.ID, LastSuccess: last, LastAnswer: last}
		require.Contains(t, d.askAboutSingleReset([]intruder.Result{in}), "still in with svc-single-reset")
		require.Equal(t, 4*time.Second, d.hour.left)
		require.Empty(t, d.unexpected)

		shut, before := in, in
		shut.LastAnswer = intruder.Stamp{Time: last.Add(time.Second)}
		before.LastSuccess = intruder.Stamp{Time: d.hour.at.Add(-time.Second)}
		before.LastAnswer = before.LastSuccess
		for _, results := range [][]intruder.Result{{shut}, {before}, {}} {
			d.unexpected = nil
			require.Empty(t, d.askAboutSingleReset(results))
			require.Len(t, d.unexpected, 1)
			require.Contains(t, d.unexpected[0], "this domain leaves no hour to show")
		}
		d.unexpected = nil
	})
	t.Run("a new value that the intruder has read and that opens its account is told by name", func(t *testing.T) {
		before := d.overheard
		defer func() { d.overheard, d.unexpected = before, nil }()
		for i, l := range d.state.Credentials[:5] {
			h := intruder.Heard{Place: "kv/apps/esg-01/x", Version: 2 + i, New: true, By: "vault/approle/esg-01-login-1", Via: intruder.ViaLogin}
			if i > 0 {
				h.Opens = []intruder.Opened{{ID: l.ID, Server: "ldaps://one"}, {ID: l.ID, Server: "ldaps://two"}}
			}
			d.overheard.Heard = append(d.overheard.Heard, h)
		}
		d.judgeOverheard(nil)
		require.Len(t, d.unexpected, 4, "three of them, and how many more")
		named := 0
		for _, l := range d.state.Credentials[1:5] {
			if strings.Contains(strings.Join(d.unexpected, "; "), l.Name+": lets in whoever has a value that the intruder has read") {
				named++
			}
		}
		require.Equal(t, 3, named)
		require.Contains(t, d.unexpected[3], "the intruder knows 1 more value")
		require.Contains(t, d.eavesdropLine(), "5 of 57 new values read")
		require.Contains(t, d.eavesdropLine(), ", 4"+nbsp+"of them in force")
	})
	t.Run("no secret is on the screen, in what survives or on a command line", func(t *testing.T) {
		secrets := d.secrets(t)
		t.Logf("searching for %d values", len(secrets))
		require.Empty(t, found(secrets, said.bytes()))
		require.NoError(t, filepath.WalkDir(d.Dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			require.Empty(t, found(secrets, text), path)
			return err
		}))
		lines := processes(t, d.temp, filepath.Dir(program))
		require.NotEmpty(t, mounted(t, d.temp), "the domain controller")
		require.GreaterOrEqual(t, len(lines), 5, "two directory servers, Vault, engine, two workers")
		for _, line := range lines {
			require.Empty(t, found(secrets, []byte(line)))
		}
		// The search finds what is there.
		require.NotEmpty(t, found(secrets, []byte("x"+d.estate.Stolen[7].Password+"x")))
	})
	t.Run("what does not go as it should is told", func(t *testing.T) {
		require.NoError(t, d.estate.Vault.SeedKV(ctx, map[string]map[string]any{"apps/other/app-0001": {"password": "another"}, "apps/other/app-ad-0001": {"password": "another"}}))
		_, err := d.checkBystanders(ctx)
		require.NoError(t, err)
		require.Len(t, d.unexpected, 1)
		require.Contains(t, d.unexpected[0], "uid=app-0001,ou=people,dc=example,dc=org has version 2 in Vault")
		require.Contains(t, d.unexpected[0], "CN=app-ad-0001,OU=Services,DC=ad,DC=example,DC=org has version 2 in Vault")

		d.unexpected = nil
		d.checkCampaign(2)
		require.Empty(t, d.unexpected)
		d.estate.Stolen = append(d.estate.Stolen, intruder.Stolen{ID: "corp/nobody-listed"})
		d.state.Credentials[5].Outcome = ledger.NoOutcome
		d.checkCampaign(0)
		require.Len(t, d.unexpected, 4)
		said.all = nil
		d.lastScreen()
		require.Contains(t, string(said.bytes()), "It did not go as it should")
		require.Contains(t, string(said.bytes()), "others    TOUCHED")
	})
	stop()
	require.Eventually(t, func() bool {
		return len(processes(t, d.temp, filepath.Dir(program))) == 0 && len(mounted(t, d.temp)) == 0
	}, 5*time.Minute, 50*time.Millisecond)
	require.NoDirExists(t, d.temp)
}

// secrets are all values, old and new, that the demo and its servers hold.
func (d *demo) secrets(t *testing.T) []string {
	t.Helper()
	out := []string{d.estate.Vault.RootToken().Reveal(), d.estate.Slapd.AdminPassword, d.estate.Slapd.BinderPassword, d.estate.Slapd.WriterPassword,
		d.estate.Domain.AdminPassword, d.estate.Domain.BinderPassword, d.estate.Domain.ReaderPassword}
	for _, s := range d.stolen() {
		out = append(out, s.Password)
	}
	for _, v := range d.estate.Bystanders {
		out = append(out, v.Reveal())
	}
	read := func(path, field string) {
		got, err := d.estate.Vault.Client().Logical().ReadWithContext(t.Context(), path)
		require.NoError(t, err)
		data, _ := got.Data["data"].(map[string]any)
		value, _ := data[field].(string)
		require.NotEmpty(t, value, path)
		out = append(out, value)
	}
	for _, p := range d.estate.Live {
		read(p.Mount+"/data/"+p.Path, p.Field)
	}
	read("kv/data/rollcall/corp/"+estate.Adopted, "password")
	read("kv/data/apps/esg-01/"+estate.SingleReset, "password")
	return out
}

// found are the positions, in the list, of the secrets that text holds.
func found(secrets []string, text []byte) []int {
	var out []int
	for i, s := range secrets {
		if bytes.Contains(text, []byte(s)) {
			out = append(out, i)
		}
	}
	return out
}
