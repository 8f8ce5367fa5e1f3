package inventory

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/profile"
)

// A secret that somebody wrote into the text of an answer, a reason or a note
// is refused before anything is stored: the ledger is for outsiders. What the
// listing did not read it cannot know.
func TestATextThatHoldsASecretOfTheRollIsRefusedWithItsPlaceAlone(t *testing.T) {
	servers(t)
	write(t, "auth/approle/role/prose", map[string]any{})
	secret := write(t, "auth/approle/role/prose/secret-id", nil)["secret_id"].(string)
	write(t, "kv/data/prose/esg", map[string]any{"data": map[string]any{"secret_id": secret}})
	row := "approle-secret-id,approle/prose,kv/prose/esg#secret_id,"
	list := func(change func(*config.Campaign)) error {
		c := campaign()
		c.Directories = nil
		c.Sources = []config.Source{manifestSource("kind,account,path,note", row)}
		change(c)
		_, _, err := listIn(t.Context(), c, nil, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
		return err
	}
	require.NoError(t, list(func(c *config.Campaign) {
		c.Exclude = []config.Exclude{{Path: "kv/prose/other#x", Reason: "as " + secret[:20] + " says, and x" + secret + "y"}}
	}), "a part of it is not it, and neither is a longer word")
	for where, change := range map[string]func(*config.Campaign){
		"exclude[0].reason": func(c *config.Campaign) {
			c.Exclude = []config.Exclude{{Path: "kv/prose/other#x", Reason: "was (" + secret + ")"}}
		},
		"accept[1].reason": func(c *config.Campaign) { c.Accept = []config.Accept{{}, {Vault: "auth/x", Reason: secret}} },
		"confirm[0].reason": func(c *config.Campaign) {
			c.Confirm = []config.Confirm{{Account: "approle/prose", Reason: secret + "."}}
		},
		"--override":       func(c *config.Campaign) { c.Override = &config.Word{Reason: "it is " + secret} },
		"--unfit-doors":    func(c *config.Campaign) { c.UnfitDoors = &config.Word{Reason: secret} },
		"--unanswered":     func(c *config.Campaign) { c.Unanswered = &config.Word{Reason: secret} },
		"containment.note": func(c *config.Campaign) { c.Containment = &config.Containment{Note: secret} },
		"contained-esg-01.yaml: note": func(c *config.Campaign) {
			c.Containment = &config.Containment{Note: secret, File: "contained-esg-01.yaml"}
		},
		"answers.yaml:12: reason": func(c *config.Campaign) { c.AnswersFile, c.Answers = "answers.yaml", answering("pw="+secret) },
		listFile + ":2: note": func(c *config.Campaign) {
			c.Sources = []config.Source{manifestSource("kind,account,path,note", row+secret)}
		},
		"p.yaml:1: ends": func(c *config.Campaign) {
			c.Sources = append(c.Sources, taskOf("name: radius, ends: [gateway "+secret+"]"))
		},
		"p.yaml:1: name": func(c *config.Campaign) { c.Sources = append(c.Sources, taskOf("name: x "+secret+", ends: [gateway]")) },
	} {
		err := list(change)
		require.ErrorContains(t, err, "a text holds, as a word of its own, the secret of a credential: "+where+"; the ledger would show it", where)
		require.NotContains(t, err.Error(), secret)
		require.NotContains(t, err.Error(), "prose", "whose it is would say more than the text does")
	}
}

var listFile = manifestSource().File

func answering(reason string) *profile.Answers {
	return &profile.Answers{List: []profile.Given{{Line: "ldap-lookup", At: 12, Answer: credential.None, Reason: reason}}}
}

func taskOf(more string) config.Source {
	return config.Source{Name: "people", Type: config.Manifest, File: "p.yaml", Content: []byte("- {kind: shared-secret, due: 9h, owner: people/alice, " + more + "}\n")}
}

// What a person pasted where a path belongs is a path only if a mount of Vault
// begins it. The roll goes into the ledger, and so do its warnings.
func TestAPastedSecretIsNoPathAndIsShownNowhere(t *testing.T) {
	servers(t)
	const pasted = "aB3x/k9QzP7#mW2"
	c := campaign()
	c.Directories = nil
	c.Sources = []config.Source{manifestSource("kind,account,path", "approle-secret-id,approle/nobody,"+pasted, "approle-secret-id,,"+pasted, "approle-secret-id,,nomount/apps/x#y")}
	c.Exclude = []config.Exclude{{Path: pasted, Reason: "it stays"}, {Path: "kv/no/such#password", Reason: "it stays"}}
	c.Confirm = []config.Confirm{{Account: "approle/nobody", Path: credential.Path{Mount: "aB3x", Path: "k9QzP7", Field: "mW2"}, Reason: "jo looked"}}
	roll, _, err := listIn(t.Context(), c, nil, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	text, err := json.Marshal(roll)
	require.NoError(t, err)
	for _, part := range []string{pasted, "aB3x", "k9QzP7", "mW2"} {
		require.NotContains(t, string(text), part)
	}
	require.Contains(t, string(text), "not-shown/"+listFile+":2#path")
	require.Contains(t, string(text), "exclude path of exclude[0] (not shown")
}

// Whatever the two are, a value is found where it stands as a word of its own,
// and nowhere else.
func TestAValueIsFoundWhereItStandsAsAWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-zA-Z0-9/#!äß]{6,12}`)
		value := word.Draw(t, "value")
		other := word.Filter(func(s string) bool { return !strings.Contains(s, value) })
		before, after := other.Draw(t, "before"), other.Draw(t, "after")
		w := &prose{texts: []written{{"a", before + " " + after}, {"b", before + " " + value + ", " + after}, {"c", "x" + before + "\n" + value}}}
		w.index()
		w.see(credential.NewSecret(value))
		if got := fmt.Sprint(w.hit); got != "[b c]" && got != "[c b]" {
			t.Fatalf("found in %s", got)
		}
		inside := &prose{texts: []written{{"a", "x" + strings.Trim(value, "/#!") + "x"}}}
		inside.index()
		inside.see(credential.NewSecret(strings.Trim(value, "/#!")))
		if len(inside.hit) > 0 {
			t.Fatal("a part of a word is none")
		}
	})
}
