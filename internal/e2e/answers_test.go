package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/report"
)

// gateway is a profile of three lines: the estate's accounts are what the first
// is about, and nothing of it can be the others.
const gateway = `schema: rollcall.profile/1
name: gateway
title: A mail gateway
reviewed: 2026-11-28
sources: {manual: {url: "https://example.org/manual", grade: V, read: 2026-11-28}}
lines:
  - {id: lookup, kind: directory-bind, what: accounts for lookups, exposed: stored, where: LDAP page, authority: directory, group: 1, grade: V, sources: manual}
  - {id: seal, kind: tls-key, what: the certificate, exposed: stored, where: TLS page, authority: ca, group: 2, grade: V, sources: manual}
  - {id: users, kind: passing-user-password, what: users who typed, exposed: passing, where: log-in page, authority: directory, group: 3, grade: V, sources: manual}
`

// A campaign of a device with a profile does not start before each line has an
// answer, and changes nothing until then.
func TestACampaignDoesNotStartBeforeEachLineOfItsProfileHasAnAnswer(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3, AppRoles: 1})
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "gateway.yaml"), []byte(gateway), 0o644))
	file, err := e.CampaignFile(nil, unhurried+"profile: gateway.yaml\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	answers := filepath.Join(filepath.Dir(file), "answers.yaml")
	untouched := func() {
		t.Helper()
		for id, p := range e.Live {
			require.Equal(t, 1, versions(t, e.Vault.Client(), p), id)
		}
		require.NoDirExists(t, filepath.Join(e.Dir, "ledger"))
		kept, err := e.Vault.Client().Logical().List("rollcall/metadata/campaigns")
		require.NoError(t, err)
		require.Nil(t, kept, "no campaign was begun")
	}

	t.Run("list and plan show first what nobody has answered", func(t *testing.T) {
		for _, command := range []string{"list", "plan"} {
			r := u.run(command)
			require.Equal(t, 2, r.code, r.out+r.err)
			require.True(t, strings.HasPrefix(r.out, "2 of 3 lines of profile gateway are unanswered:\n  answers.yaml: seal (tls-key): has no answer\n  answers.yaml: users "), r.out)
			require.Contains(t, r.out, "lookup: covered by 2 credentials, 2 of which because the profile has one line of its kind", "the third is tied by nothing but its secret's own word")
			require.NotContains(t, r.err, "names no profile")
		}
	})
	refused := func(want ...string) {
		t.Helper()
		r := u.run("run")
		require.Equal(t, 1, r.code, r.out+r.err)
		for _, w := range want {
			require.Contains(t, r.err, w)
		}
		require.Empty(t, r.out)
		untouched()
	}
	refused("2 of 3 lines of profile gateway have no answer that holds:\nanswers.yaml: seal (tls-key): has no answer\n", "`rollcall answers init` writes answers.yaml")

	u.must("answers", "init")
	text, err := os.ReadFile(answers)
	require.NoError(t, err)
	require.Contains(t, string(text), "\n  lookup: covered\n", "what the sources found is filled in")
	r := u.run("answers", "check")
	require.Equal(t, 1, r.code, r.out+r.err)
	require.Regexp(t, `(?m)^answers.yaml:\d+: seal \(tls-key\): has no answer$`, r.out)
	refused("answers.yaml:", "answer them in answers.yaml")
	doctor := u.run("doctor")
	require.Equal(t, 1, doctor.code, doctor.out+doctor.err)
	require.Regexp(t, `WRONG +answers +profile gateway: 3 lines, 1 covered, 0 none, 0 later, 2 unanswered, in answers.yaml; open: seal, users\n`, doctor.out)

	write := func(lookup, seal, users string) {
		require.NoError(t, os.WriteFile(answers, []byte("device: esg-01\nprofile: gateway\nby: jo@desk\non: 2026-11-28\nanswers:\n  lookup: "+lookup+"\n  seal: "+seal+"\n  users: "+users+"\n"), 0o644))
	}
	t.Run("a rehearsal says what it needs, and touches nothing", func(t *testing.T) {
		r := u.run("rehearse")
		require.Equal(t, 2, r.code, r.out+r.err)
		require.Contains(t, r.out, "corp (ldap-password)\n  not rehearsed  give corp a place in the campaign file where a bogus account may be made")
		require.Contains(t, r.out, "{approle: approle/rollcall-rehearsal}")
		require.Contains(t, r.out, "0 passed, 0 would have failed, 2 not rehearsed; nothing of the roll was touched\n")
		require.Equal(t, "nothing is left of an earlier rehearsal\n", u.must("rehearse", "--clean"))
		untouched()
	})
	t.Run("an answer that the roll contradicts is refused, --unanswered or not", func(t *testing.T) {
		write("{none: no directory}", "{none: no TLS}", "covered")
		refused("answers.yaml:6: lookup (directory-bind): says none, and 2 credentials of the roll answer it", "answers.yaml:8: users (passing-user-password): says covered, and no credential of the roll answers it")
		r := u.run("run", "--unanswered", "the night is short")
		require.Equal(t, 1, r.code, r.out+r.err)
		require.Contains(t, r.err, "not with answers that are wrong: correct them")
		untouched()
	})
	t.Run("later that has fallen due is asked again", func(t *testing.T) {
		write("covered", "{later: order it, owner: jo, due: 2026-01-02}", "{none: nobody logs in}")
		refused("answers.yaml:7: seal (tls-key): was left for later and fell due on 2026-01-02 (jo)")
	})
	t.Run("what metadata of a secret says of lines is a question to a person, and no answer", func(t *testing.T) {
		write("covered", "{none: it speaks no TLS}", "{none: nobody logs in}")
		said := func(line any) {
			for _, p := range e.Live {
				require.NoError(t, e.Vault.Client().KVv2(p.Mount).PatchMetadata(t.Context(), p.Path, api.KVMetadataPatchInput{CustomMetadata: map[string]any{"line": line}}))
			}
		}
		said("seal")
		r := u.run("list")
		require.Equal(t, 0, r.code, r.out+r.err)
		require.Contains(t, r.out, "unknown-line its custom_metadata names line seal, which is about a tls-key; ldap-password is none")
		said("users")
		r = u.run("answers", "check")
		require.Equal(t, 1, r.code, r.out+r.err)
		require.Contains(t, r.out, "answers.yaml:8: users (passing-user-password): says none, and metadata of ")
		said(nil)
	})
	t.Run("answered in full it runs, and ends with exit code 0", func(t *testing.T) {
		require.Contains(t, u.must("answers", "check"), "3 lines, 1 covered, 2 none, 0 later, 0 unanswered")
		r := u.run("run")
		require.Equal(t, 0, r.code, r.out+r.err)
		requireConsumersServed(t, e)
		require.Contains(t, r.out, "  complete  yes")
		require.Contains(t, r.out, "  clean     yes")
		require.Contains(t, r.out, "none       seal (tls-key): it speaks no TLS; said by jo@desk on 2026-11-28")
		state := u.ledger()
		require.Equal(t, []string{"lookup", "seal", "users"}, state.Profile.Lines)
		require.Equal(t, &ledger.End{Complete: true, Clean: true}, state.End)
		require.Len(t, state.Answering("lookup"), 2)
		require.Contains(t, u.must("ledger", "verify"), "profile: gateway, reviewed 2026-11-28; this build has none of that name")
		require.True(t, decode[report.Document](t, u.must("report", "-o", "json")).Profile.Clean)
		status := decode[report.Status](t, u.must("status", "-o", "json"))
		require.True(t, status.Profile.Clean)
		require.Equal(t, "none", status.Profile.ThisBuild)
		require.Len(t, status.Profile.Lines, 3)
		require.Contains(t, u.must("status"), "profile gateway: 3 lines, 1 covered, 2 none, 0 later, 0 unanswered; complete: yes; clean: yes")
	})
	t.Run("a person goes on without, which is exit code 2", func(t *testing.T) {
		write("covered", "", "{later: ask them, owner: jo, due: 2999-01-02}")
		r := u.run("run", "--unanswered", "the CA answers on Monday")
		require.Equal(t, 2, r.code, r.out+r.err)
		state := u.ledger()
		require.Len(t, state.Findings, 2)
		require.Equal(t, credential.FindingUnanswered, state.Findings[0].Code)
		require.Equal(t, credential.FindingLater, state.Findings[1].Code)
		require.Equal(t, "the CA answers on Monday", state.Profile.Unanswered)
		require.NotEmpty(t, state.Profile.UnansweredBy)
		require.Equal(t, &ledger.End{}, state.End)
		u.must("ledger", "verify")
		require.Contains(t, r.out, "perhaps not all: 1 of 3 lines of profile gateway has no answer: seal")
	})
}
