package inventory

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// tellsWhatItIsAsked is a directory that writes what it is asked into a log,
// as servers with access logs do.
func tellsWhatItIsAsked(t *testing.T, uids ...string) (dirs map[string]Directory, c *config.Campaign, asked func() string) {
	t.Helper()
	servers(t)
	ca, err := lab.NewCA()
	require.NoError(t, err)
	var people []lab.Account
	for _, uid := range uids {
		people = append(people, lab.Account{UID: uid, Password: "x"})
	}
	s, err := lab.StartSlapd(t.Context(), lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Stats: true, Accounts: people})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	conf := corp()
	conf.Servers, conf.Base, conf.CA = []string{s.LDAPS()}, s.BaseDN(), s.CA
	conf.Bind.DN = s.BinderDN
	c = campaign()
	c.Directories["corp"] = conf
	return openDirectoryAs(t, conf, s.BinderPassword), c, func() string {
		text, err := os.ReadFile(s.LogFile())
		require.NoError(t, err)
		return string(text)
	}
}

// versions writes a secret, the oldest version first.
func versions(t *testing.T, path string, each ...map[string]any) {
	t.Helper()
	kv := realVault.Client().KVv2("kv")
	t.Cleanup(func() { require.NoError(t, kv.DeleteMetadata(context.Background(), path)) })
	for _, v := range each {
		_, err := kv.Put(t.Context(), path, v)
		require.NoError(t, err)
	}
}

func olderTold(t *testing.T, c *config.Campaign, dirs map[string]Directory) (told []string) {
	t.Helper()
	roll, _, err := listIn(t.Context(), c, dirs, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	for _, w := range roll.Warnings {
		if w.Code == credential.FindingAlsoReadable {
			told = append(told, w.Detail)
		}
	}
	slices.Sort(told)
	return told
}

// Servers log what they are asked for, and a warning goes into the ledger. In
// an older version a password may lie where the user belongs.
func TestAPasswordInAnOlderVersionsFieldOfAUserIsAskedOfNoServerAndNotTold(t *testing.T) {
	dirs, c, asked := tellsWhatItIsAsked(t, "svc-a", "svc-b", "svc-c", "svc-d", "svc-e", "svc-moved")
	const secret = "Xk9-qR7.vT2"
	versions(t, "swapped/fields", map[string]any{"username": secret, "password": "svc-a"}, map[string]any{"username": "svc-a", "password": secret})
	// A password that is written as names are.
	const word = "horsebattery"
	versions(t, "swapped/word", map[string]any{"username": word, "password": "svc-b"}, map[string]any{"username": "svc-b", "password": word})
	// It was put right later than it was used elsewhere.
	const later = "stapledcorrect"
	versions(t, "swapped/later", map[string]any{"username": later, "password": "q!1Q"}, map[string]any{"username": "svc-c", "password": "q!1Q"}, map[string]any{"username": "svc-c", "password": later})
	versions(t, "swapped/address", map[string]any{"url": "amqp://" + secret + ":@mq1", "password": "q!2Q"}, map[string]any{"username": "svc-d", "password": "q!2Q"})
	versions(t, "swapped/document", map[string]any{"doc": `{"login": "` + secret + `"}`, "password": "q!3Q"}, map[string]any{"username": "svc-e", "password": "q!3Q"})
	// Whom nothing hides is looked for as before.
	versions(t, "swapped/moved", map[string]any{"username": "svc-moved", "password": "q!4Q"}, map[string]any{"username": "svc-a", "password": "q!5Q"})
	// What stayed is no other account's, whatever it is.
	versions(t, "swapped/stayed", map[string]any{"username": "a stranger", "password": "q!6Q"}, map[string]any{"username": "a stranger", "password": "q!7Q"})
	c.Sources = []config.Source{manifestSource("account,path", "svc-a,kv/swapped/fields#password", "svc-b,kv/swapped/word#password", "svc-c,kv/swapped/later#password",
		"svc-d,kv/swapped/address#password", "svc-e,kv/swapped/document#password", "svc-a,kv/swapped/moved#password", "svc-a,kv/swapped/stayed#password")}
	told := olderTold(t, c, dirs)
	log := strings.ToLower(asked())
	require.Contains(t, log, "svc-moved", "it tells what it is asked")
	for _, hidden := range []string{secret, word, later} {
		require.NotContains(t, log, strings.ToLower(hidden))
		require.NotContains(t, strings.ToLower(strings.Join(told, "\n")), strings.ToLower(hidden))
	}
	require.Len(t, told, 6, "%v", told)
	for i, place := range []string{"address", "document", "fields", "later", "moved", "word"} {
		require.Contains(t, told[i], "kv/swapped/"+place+": its version 1, which")
		if place == "moved" {
			require.Contains(t, told[i], "names corp: uid=svc-moved,")
			continue
		}
		require.Contains(t, told[i], "names somebody by a text that may be a password in the wrong field, so that nobody was asked for it, which is not on the roll")
	}
}

// Whoever may write a secret may write thousands of names into each version:
// they are looked for together, as many as are bounded, and told in one line.
func TestNamesInOlderVersionsAreLookedForTogetherAndAreBounded(t *testing.T) {
	dirs, c, asked := tellsWhatItIsAsked(t, "svc-a", "svc-moved")
	for s := range 3 {
		var each []map[string]any
		for v := range 2 {
			var list []string
			for i := range 1000 {
				list = append(list, fmt.Sprintf(`{"user": "zz-%c%c%c-%d", "password": "q!1Q"}`, 'a'+s, 'a'+v, 'a'+i%26, i))
			}
			list = append(list, `{"user": "svc-moved"}`)
			each = append(each, map[string]any{"all": "[" + strings.Join(list, ",") + "]", "password": "q!1Q"})
		}
		versions(t, fmt.Sprintf("many/%d", s), append(each, map[string]any{"username": "svc-a", "password": "q!2Q"})...)
	}
	c.Sources = []config.Source{manifestSource("account,path", "svc-a,kv/many/0#password", "svc-a,kv/many/1#password", "svc-a,kv/many/2#password")}
	before := strings.Count(asked(), " SRCH base=")
	told := olderTold(t, c, dirs)
	require.Less(t, strings.Count(asked(), " SRCH base=")-before, 60)
	require.Len(t, told, 3)
	for i, text := range told {
		require.Contains(t, text, fmt.Sprintf("kv/many/%d: its version 1, 2, which", i))
		require.Contains(t, text, "corp: uid=svc-moved,")
		require.Contains(t, text, "1801 more, which are too many to look for")
		require.NotContains(t, text, "zz-")
	}
}

func TestWhereANameStandsThatNobodyCouldBeAskedForIsSaid(t *testing.T) {
	found := []*olderNames{{place: "kv/b", names: []string{"svc-a", "svc-b"}}, {place: "kv/a", names: []string{"svc-b"}}, {place: "kv/c", names: []string{"svc-c"}}}
	require.Equal(t, []string{"kv/a", "kv/b"}, placesOf(found, []string{"svc-b"}))
	require.Empty(t, placesOf(found, []string{"svc-d"}))
}
