package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
)

// No secret may be anywhere but in Vault and the directory. The search looks
// for the values themselves and for the forms in which they could hide.

func TestNoSecretLeavesVaultAndTheDirectory(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 20, Replica: true, Odd: true, AppRoles: 2, Users: 1, Bystanders: 2})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")

	secrets := map[string]string{"the bind password": e.Slapd.BinderPassword}
	for _, s := range e.Stolen {
		secrets["the stolen value of "+s.ID] = s.Password
	}
	lines := watchCommandLines(t)
	var said strings.Builder
	for _, args := range [][]string{{"doctor"}, {"list"}, {"plan"}, {"run", "-v"}, {"status"}, {"report", "-o", "json"}, {"ledger", "cat"}} {
		r := u.run(args...)
		said.WriteString(r.out + r.err)
	}
	u.must("report", "--html", filepath.Join(e.Dir, "state", "report.html"), "--csv", filepath.Join(e.Dir, "state", "open.csv"))
	u.must("report", "--summary", "--html", filepath.Join(e.Dir, "state", "summary.html"))
	for id, p := range e.Live {
		value := live(t, e, p)
		require.NotEqual(t, stolenValue(e, id), value.Reveal(), "%s was not rotated, so the search would prove nothing", id)
		secrets["the new value of "+id] = value.Reveal()
	}

	places := map[string][]byte{"the output": []byte(said.String()), "command lines": lines()}
	for _, root := range []string{filepath.Join(e.Dir, "state"), filepath.Join(e.Dir, "ledger")} {
		collect(t, root, places)
	}
	for _, log := range []string{e.Vault.LogFile(), e.Slapd.LogFile(), e.Vault.AuditFile()} {
		data, err := os.ReadFile(log)
		require.NoError(t, err)
		places[log] = data
	}
	require.Greater(t, len(places), 8, "the engine's database, the ledger, the report and the logs are searched")
	require.Empty(t, findSecrets(places, secrets))

	t.Run("the engine's database names no account either", func(t *testing.T) {
		names := map[string]string{}
		for _, s := range e.Stolen {
			if uid, _, ok := strings.Cut(strings.TrimPrefix(s.DN, "uid="), ","); ok && s.DN != "" {
				names[uid] = uid
			}
		}
		found := findSecrets(only(places, filepath.Join(e.Dir, "state", "engine")), names)
		require.Empty(t, found)
	})
	t.Run("the search finds a planted secret in every form and place", func(t *testing.T) {
		planted := "Pl4nted-" + secrets["the bind password"]
		for form, text := range forms(planted) {
			for place := range places {
				with := map[string][]byte{place: append(append([]byte{}, places[place]...), "xx"+text+"yy"...)}
				require.Len(t, findSecrets(with, map[string]string{"planted": planted}), 1, "%s in %s", form, place)
			}
		}
	})
}

// collect adds every file below a folder.
func collect(t *testing.T, root string, places map[string][]byte) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		places[path] = data
		return err
	}))
}

func stolenValue(e *estate.Estate, id string) string {
	for _, s := range e.Stolen {
		if s.ID == id {
			return s.Password
		}
	}
	return ""
}

// forms are the ways in which a value could stand in a file.
func forms(v string) map[string]string {
	quoted, _ := json.Marshal(v)
	utf16 := make([]byte, 0, 2*len(v))
	for i := range len(v) {
		utf16 = append(utf16, v[i], 0)
	}
	return map[string]string{
		"plain":  v,
		"JSON":   string(quoted[1 : len(quoted)-1]),
		"base64": base64.StdEncoding.EncodeToString([]byte(v)),
		"hex":    hexOf(v),
		"UTF-16": string(utf16),
	}
}

func hexOf(v string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := range len(v) {
		b.WriteByte(digits[v[i]>>4])
		b.WriteByte(digits[v[i]&15])
	}
	return b.String()
}

func findSecrets(places map[string][]byte, secrets map[string]string) []string {
	var found []string
	for place, data := range places {
		for what, v := range secrets {
			for form, text := range forms(v) {
				if bytes.Contains(data, []byte(text)) {
					found = append(found, what+" as "+form+" in "+place)
					break
				}
			}
		}
	}
	return found
}

func only(places map[string][]byte, prefix string) map[string][]byte {
	out := map[string][]byte{}
	for p, d := range places {
		if strings.HasPrefix(p, prefix) {
			out[p] = d
		}
	}
	return out
}

// watchCommandLines collects the command lines and environments' names of every
// process that this test can see, until the returned function is called.
func watchCommandLines(t *testing.T) func() []byte {
	t.Helper()
	seen := map[string]bool{}
	var mu sync.Mutex
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			entries, _ := os.ReadDir("/proc")
			for _, entry := range entries {
				if _, err := strconv.Atoi(entry.Name()); err != nil {
					continue
				}
				line, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
				mu.Lock()
				seen[string(line)] = true
				mu.Unlock()
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return func() []byte {
		close(stop)
		<-stopped
		var b bytes.Buffer
		for line := range seen {
			b.WriteString(line + "\n")
		}
		require.Contains(t, b.String(), "rollcall-engine", "the watch saw nothing of the campaign")
		return b.Bytes()
	}
}

func readAttr(t *testing.T, conn *ldap.Conn, dn, attr string) []string {
	t.Helper()
	got, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{attr}, nil))
	require.NoError(t, err)
	require.Len(t, got.Entries, 1)
	return got.Entries[0].GetAttributeValues(attr)
}
