package inventory

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
)

// A device may have one password for what a person changes, say the NAS, and
// for the directory's account of that name: the account is asked with what
// Vault holds for the task.
func TestTheDirectorysAccountWithATasksLoginIsAskedAndRotatedIfItTakesTheStolenValue(t *testing.T) {
	servers(t)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"taskname/nas": {"value": "stolen-of-nas"}, "taskname/old": {"value": "stolen-of-old"}}))
	c := campaign()
	c.Directories["corp"] = corp()
	c.Doors = map[string]door.Settings{"mail": {Type: "imaps", Login: "{account}"}}
	rows := `
- {kind: local-account, name: nas, login: Bystander0001, owner: userpass/a, due: 8h, path: kv/taskname/nas#value}
- {kind: local-account, name: tape, login: bystander0002, owner: userpass/a, due: 8h, path: kv/taskname/old#value}
- {kind: local-account, name: bystander0003, owner: userpass/a, due: 8h, path: kv/taskname/old#value}
- {kind: local-account, name: left, login: bystander0004, owner: userpass/a, due: 8h, path: kv/taskname/old#value}
- {kind: local-account, name: nowhere, login: bystander0005, owner: userpass/a, due: 8h}
- {kind: local-account, name: door, login: bystander0006, owner: userpass/a, due: 8h, path: kv/taskname/old#value, doors: mail}
- {kind: local-account, name: Bystander0007, owner: userpass/a, due: 8h, path: kv/taskname/old#value, doors: mail}
- {account: alice, path: kv/taskname/alice#password, new: true}
`
	c.Sources = []config.Source{{Name: "list", Type: config.Manifest, File: "list.yaml", Content: []byte(rows)}}
	c.Exclude = []config.Exclude{{Account: "left", Reason: "another system's"}}
	var mu sync.Mutex
	var asked []string
	asks := func(_ context.Context, x credential.Credential, v credential.Secret) (bool, string) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, rdnValue(x.Name)+" "+v.Reveal())
		return rdnValue(x.Name) == "bystander0001" || rdnValue(x.Name) == "bystander0006", ""
	}
	list := func(asks func(context.Context, credential.Credential, credential.Secret) (bool, string)) (*credential.Roll, []string) {
		asked = nil
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Asks: asks}, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
		require.NoError(t, err)
		var said []string
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingSameName {
				said = append(said, w.Detail)
			}
		}
		return roll, said
	}
	_, said := list(nil)
	require.Len(t, said, 2, "who only looks asks nobody, and says it")
	slices.Sort(said)
	require.Contains(t, said[0], "2 accounts that no source names have the name with which something logs in at doors that a person changes")
	require.Contains(t, said[0], "offers each, once, what was stolen of that; who takes it is not rotated")
	require.Contains(t, said[1], "3 accounts that no source names have the name of an account of the roll")
	require.Contains(t, said[1], "offers each, once, what was stolen of that one: who")
	require.Empty(t, asked)

	roll, said := list(asks)
	slices.Sort(asked)
	require.Equal(t, []string{"bystander0001 stolen-of-nas", "bystander0002 stolen-of-old", "bystander0006 stolen-of-old", "bystander0007 stolen-of-old"}, asked)
	taker := byName(roll)[slapd.AccountDN("bystander0001")]
	require.Empty(t, taker.Problem)
	require.Equal(t, []credential.Path{{Mount: "kv", Path: "rollcall/corp/bystander0001", Field: "password"}}, taker.Paths, "the task's place stays the person's")
	require.Equal(t, "taskname/nas", taker.Alike[0].Path.Path)
	require.Contains(t, details(roll, taker.ID, credential.FindingSameName), "what logs in as Bystander0001 and a person changes (nas)")
	require.NotContains(t, byName(roll), slapd.AccountDN("bystander0002"), "it refused what was stolen of the other one")
	require.True(t, slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "it is left alone") }))
	open := byName(roll)[slapd.AccountDN("bystander0005")]
	require.Equal(t, credential.SameName, open.Problem, "Vault holds nothing that it could be asked with")
	require.NotContains(t, byName(roll), slapd.AccountDN("bystander0003"), "the name of a task is what people call it")
	require.NotContains(t, byName(roll), slapd.AccountDN("bystander0004"), "the task is left out")

	// Behind the door, or beside it: its person changes it, and nobody else.
	require.NotContains(t, byName(roll), slapd.AccountDN("bystander0006"))
	require.NotContains(t, byName(roll), slapd.AccountDN("bystander0007"))
	door := byName(roll)["door"].Task.Elsewhere
	require.Len(t, door, 1)
	require.Equal(t, slapd.AccountDN("bystander0006"), door[0].Name)
	require.Equal(t, "corp", door[0].Authority)
	require.Empty(t, byName(roll)["Bystander0007"].Task.Elsewhere, "it refuses what was stolen")
	require.True(t, slices.ContainsFunc(said, func(s string) bool {
		return strings.Contains(s, "1 account that") && strings.Contains(s, "bystander0006") && strings.Contains(s, "None is rotated")
	}), "%q", said)

	// It has nothing to do with it, says a person.
	c.Exclude = append(c.Exclude, config.Exclude{Account: slapd.AccountDN("bystander0006"), Reason: "a colleague's"})
	roll, _ = list(asks)
	require.NotContains(t, strings.Join(asked, "\n"), "bystander0006")
	require.False(t, slices.ContainsFunc(roll.Warnings, func(w Warning) bool {
		return w.Code == credential.FindingExcludeNothing || w.Code == credential.FindingExcludeMistyped
	}), "%v", roll.Warnings)
	require.Empty(t, byName(roll)["door"].Task.Elsewhere)
	require.NotContains(t, byName(roll), slapd.AccountDN("bystander0006"))
}
