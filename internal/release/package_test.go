package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// must runs a program in the folder of the repository, and gives what it said.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = repository(t)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v:\n%s", name, args, out)
	return string(out)
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	return root
}

// packaged is the Debian package of the programs that `make build` made.
func packaged(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	docs := filepath.Join(dir, "docs")
	must(t, "scripts/package-docs.sh", "bin/rollcall", docs)
	out := must(t, "scripts/package.sh", "--programs", "bin", "--arch", "amd64", "--version", version, "--docs", docs, "--out", dir, "--format", "deb")
	return strings.TrimSpace(out)
}

func TestThePackageHasTheProgramsUnitsAndPages(t *testing.T) {
	t.Parallel()
	deb := packaged(t, "v1.2.3-rc.1")
	require.Equal(t, "rollcall_1.2.3~rc.1_amd64.deb", filepath.Base(deb))

	t.Run("in their places, with owner and mode", func(t *testing.T) {
		listed := must(t, "dpkg-deb", "--contents", deb)
		for _, want := range []string{
			`-rwxr-xr-x root/root .* \./usr/bin/rollcall$`,
			`-rwxr-xr-x root/root .* \./usr/bin/rollcall-engine$`,
			`-rw-r--r-- root/root .* \./usr/lib/systemd/system/rollcall-worker\.service$`,
			`-rw-r--r-- root/root .* \./usr/lib/systemd/system/rollcall-ledger\.service$`,
			`-rw------- root/root .* \./etc/rollcall/worker\.env$`,
			`-rw------- root/root .* \./etc/rollcall/ledger\.env$`,
			`-rw-r--r-- root/root .* \./usr/share/man/man1/rollcall\.1\.gz$`,
			`-rw-r--r-- root/root .* \./usr/share/man/man1/rollcall-worker\.1\.gz$`,
			`-rw-r--r-- root/root .* \./usr/share/bash-completion/completions/rollcall$`,
			`-rw-r--r-- root/root .* \./usr/share/zsh/vendor-completions/_rollcall$`,
			`-rw-r--r-- root/root .* \./usr/share/fish/vendor_completions\.d/rollcall\.fish$`,
			`-rw-r--r-- root/root .* \./usr/share/doc/rollcall/LICENSE$`,
		} {
			require.Regexp(t, regexp.MustCompile("(?m)^"+want), listed)
		}
		require.NotContains(t, listed, "devvault", "Vault's modules are not ours to give away")
	})

	root := t.TempDir()
	must(t, "dpkg-deb", "--extract", deb, root)
	t.Run("settings are not overwritten by a newer package", func(t *testing.T) {
		control := t.TempDir()
		must(t, "dpkg-deb", "--control", deb, control)
		conffiles, err := os.ReadFile(filepath.Join(control, "conffiles"))
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"/etc/rollcall/worker.env", "/etc/rollcall/ledger.env"}, strings.Fields(string(conffiles)))
	})

	// The units that ours refer to, as the package of systemd has them.
	units := filepath.Join(root, "usr/lib/systemd/system")
	must(t, "cp", "--archive", "--no-clobber", "/usr/lib/systemd/system/.", units)
	ours := []string{"rollcall-worker.service", "rollcall-ledger.service"}
	t.Run("systemd finds nothing wrong with the units", func(t *testing.T) {
		said := must(t, "systemd-analyze", append([]string{"verify", "--root=" + root, "--man=no"}, ours...)...)
		require.NotContains(t, said, "rollcall")
	})
	t.Run("systemd finds nearly nothing left to take away from them", func(t *testing.T) {
		// 100 is a service that may do all; 12 is what both have without a
		// network of their own and with the address families that they need.
		must(t, "systemd-analyze", append([]string{"security", "--offline=true", "--root=" + root, "--threshold=12"}, ours...)...)
	})
	t.Run("each setting named in the settings files is one that is read", func(t *testing.T) {
		for _, name := range []string{"worker.env", "ledger.env"} {
			text, err := os.ReadFile(filepath.Join(root, "etc/rollcall", name))
			require.NoError(t, err)
			for _, set := range regexp.MustCompile(`(?m)^#([A-Z_]+)=`).FindAllStringSubmatch(string(text), -1) {
				require.Regexp(t, `^(ROLLCALL_(ROLE_ID|PAYLOAD_KEY|FLAGS)|VAULT_(ADDR|CACERT)|TEMPORAL_(ADDRESS|NAMESPACE|TLS_SERVER_CA_CERT_PATH))$`, set[1])
			}
		}
	})
}
