package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// watchHead is a campaign file to the middle of its watch.
const watchHead = watchedCampaign + `watch:
  usual: [198.51.100.0/24]
`

const postedFile = watchHead + `  listen:
    address: "127.0.0.1:0"
    certificate: watch.crt
    key: watch.key
    token: kv/rollcall-watch#token
    sources:
      ldap1: {format: openldap, authority: corp, server: ldap1}
`

var tried int

// tries is a refused login as slapd writes it.
func tries(from string) (text string) {
	tried++
	for _, line := range []string{"fd=1 ACCEPT from IP=" + from + ":5 (IP=192.0.2.2:389)", `op=0 BIND dn="uid=svc-1,dc=example,dc=org" method=128`, "op=0 RESULT tag=97 err=49 text="} {
		text += fmt.Sprintf("2026-11-24T10:00:00Z ldap1 slapd[7]: conn=%d %s\n", 1000+tried, line)
	}
	return text
}

var whereToPost = regexp.MustCompile(`lines may be posted to (https://[^/]+)/lines/NAME`)

// Who posts shows what Vault has: as it lies there, also where that is base64
// of text, and what it is by now.
func TestLinesArePostedWithATokenFromVault(t *testing.T) {
	const first, second = "c2l4dGVlbi1ieXRlcy1vci1tb3JlLW9mLWl0", "another-token-of-those-who-post"
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	v, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(v.Kill)
	t.Setenv("HOME", t.TempDir())
	v.UseIn(t, v.RootToken().Reveal())
	dir := t.TempDir()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	_, _, caFile, err := ca.Issue(dir, "watch", time.Hour)
	require.NoError(t, err)
	file := filepath.Join(dir, "esg.yaml")
	require.NoError(t, os.WriteFile(file, []byte(postedFile), 0o600))
	require.NoError(t, smallLedger(filepath.Join(dir, "ledger", "esg-01-20261123T120000Z")))

	var stdout, stderr written
	watch := func(ctx context.Context) int {
		return Run(ctx, []string{"evidence", "watch", "-f", file, "--state", filepath.Join(dir, "state")}, Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	}
	require.Equal(t, exitError, watch(ctx), "no token is in Vault")
	require.Contains(t, stderr.String(), "the token for what is posted: Vault holds nothing at kv/rollcall-watch#token")

	require.NoError(t, v.SeedKV(ctx, map[string]map[string]any{"rollcall-watch": {"token": first}}))
	watching, end := context.WithCancel(ctx)
	code := make(chan int, 1)
	go func() { code <- watch(watching) }()
	url := ""
	require.Eventually(t, func() bool {
		if at := whereToPost.FindStringSubmatch(stderr.String()); at != nil {
			url = at[1] + "/lines/ldap1"
		}
		return url != ""
	}, 5*time.Minute, 10*time.Millisecond)
	post := func(token, text string) string {
		cmd := exec.CommandContext(ctx, "curl", "-sS", "--cacert", caFile, "-H", "Authorization: Bearer "+token, "--data-binary", "@-", url)
		cmd.Stdin = strings.NewReader(text)
		said, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", said)
		return string(said)
	}
	shown := func(address string) {
		t.Helper()
		require.Eventually(t, func() bool {
			return strings.Contains(stdout.String(), "probable: tried-after-rotation: uid=svc-1,dc=example,dc=org was refused from "+address)
		}, 5*time.Minute, 10*time.Millisecond, "%v", &stderr)
	}
	require.Equal(t, "taken: 3\n", post(first, tries("203.0.113.9")))
	shown("203.0.113.9")
	require.NoError(t, v.SeedKV(ctx, map[string]map[string]any{"rollcall-watch": {"token": first + " " + second}}))
	require.Eventually(t, func() bool { return !strings.Contains(post(second, tries("203.0.113.10")), "token") }, 5*time.Minute, 100*time.Millisecond)
	shown("203.0.113.10")
	// Vault is away: what it said last stands.
	require.NoError(t, v.Seal(ctx))
	require.Equal(t, "taken: 3\n", post(first, tries("203.0.113.11")))
	shown("203.0.113.11")
	end()
	require.Equal(t, exitOK, <-code, stderr.String())
	for _, secret := range []string{first, second} {
		require.NotContains(t, stdout.String()+stderr.String(), secret)
	}
}
