//go:build release

package release

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// clone is this repository's commit in a folder of another name.
func clone(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	must(t, "git", "clone", "--quiet", strings.TrimSpace(must(t, "git", "rev-parse", "--path-format=absolute", "--git-common-dir")), dir)
	must(t, "git", "-C", dir, "checkout", "--quiet", "--detach", strings.TrimSpace(must(t, "git", "rev-parse", "HEAD")))
	return dir
}

// sums are the SHA-256 of all files of a folder, by name.
func sums(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	out := map[string]string{}
	for _, f := range files {
		if is, err := os.Stat(f); err != nil || is.IsDir() {
			continue
		}
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		out[filepath.Base(f)] = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	return out
}

func TestTwoReleasesFromTwoFoldersAreTheSameAndAnOutsiderCanCheckThem(t *testing.T) {
	keys := t.TempDir()
	key := filepath.Join(keys, "key")
	must(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a release key", "-f", key)

	var made []map[string]string
	var dists []string
	for _, name := range []string{"here", "another-folder-with-a-longer-name"} {
		dist := filepath.Join(t.TempDir(), "dist")
		must(t, filepath.Join(clone(t, name), "scripts/release.sh"), "--key", key, "--platforms", "linux/amd64", "--out", dist)
		made, dists = append(made, sums(t, dist)), append(dists, dist)
	}
	require.Len(t, made[0], 8)
	require.Equal(t, made[0], made[1], "byte for byte, with the signature, which is ed25519's")
	dist := dists[0]

	unpacked := t.TempDir()
	archives, err := filepath.Glob(filepath.Join(dist, "*_linux_amd64.tar.gz"))
	require.NoError(t, err)
	require.Len(t, archives, 1)
	must(t, "tar", "--extract", "--gzip", "--directory", unpacked, "--strip-components=1", "--file", archives[0])
	t.Run("compiled from nothing, without what was compiled before, rollcall is the same", func(t *testing.T) {
		folder := t.TempDir()
		build := exec.Command("go", "build", "-buildvcs=true", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(folder, "rollcall"), "./cmd/rollcall")
		build.Dir = clone(t, "once-more")
		build.Env = append(os.Environ(), "GOCACHE="+t.TempDir(), "CGO_ENABLED=0", "GOFLAGS=")
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Equal(t, sums(t, unpacked)["rollcall"], sums(t, folder)["rollcall"])
	})

	// What SECURITY.md has an outsider do, in the shell.
	public, err := os.ReadFile(key + ".pub")
	require.NoError(t, err)
	signers := filepath.Join(keys, "rollcall.signers")
	require.NoError(t, os.WriteFile(signers, []byte("rollcall "+string(public)), 0o600))
	check := func() (string, error) {
		cmd := exec.Command("bash", "-euc", `ssh-keygen -Y verify -f "$1" -I rollcall -n rollcall-release -s SHA256SUMS.sig < SHA256SUMS
sha256sum --check --ignore-missing --quiet SHA256SUMS`, "check", signers)
		cmd.Dir = dist
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	said, err := check()
	require.NoError(t, err, said)
	require.Contains(t, said, `Good "rollcall-release" signature for rollcall`)

	t.Run("the SBOM names the modules that the program says are in it", func(t *testing.T) {
		boms, err := filepath.Glob(filepath.Join(dist, "rollcall_*_linux_amd64.cdx.json"))
		require.NoError(t, err)
		require.Len(t, boms, 1)
		text, err := os.ReadFile(boms[0])
		require.NoError(t, err)
		var bom struct {
			Components []struct{ Name, Version string }
		}
		require.NoError(t, json.Unmarshal(text, &bom))
		listed := map[string]string{}
		for _, c := range bom.Components {
			listed[c.Name] = c.Version
		}
		linked := regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`).FindAllStringSubmatch(must(t, "go", "version", "-m", filepath.Join(unpacked, "rollcall")), -1)
		require.Greater(t, len(linked), 20)
		for _, module := range linked {
			require.Equal(t, module[2], listed[module[1]], module[1])
		}
		require.Contains(t, listed, "std")
	})
	t.Run("a changed byte is seen", func(t *testing.T) {
		debs, err := filepath.Glob(filepath.Join(dist, "*_amd64.deb"))
		require.NoError(t, err)
		text, err := os.ReadFile(debs[0])
		require.NoError(t, err)
		text[len(text)/2] ^= 1
		require.NoError(t, os.WriteFile(debs[0], text, 0o644))
		said, err := check()
		require.Error(t, err)
		require.Contains(t, said, "FAILED")
	})
	t.Run("changed checksums are seen", func(t *testing.T) {
		list := filepath.Join(dist, "SHA256SUMS")
		text, err := os.ReadFile(list)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(list, append(text, '\n'), 0o644))
		said, err := check()
		require.Error(t, err)
		require.Contains(t, said, "incorrect signature")
	})
}
