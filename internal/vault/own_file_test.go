package vault

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

func TestASecretIDFileIsReplacedWithItsModeAndOwnerAndThroughALink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "worker.secret-id"), filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.WriteFile(file, []byte("old\n"), 0o600))
	require.NoError(t, os.Chmod(file, 0o640))
	require.NoError(t, os.Chown(file, os.Getuid(), 65534))
	require.NoError(t, os.Symlink(file, link))
	opened, err := os.Open(file)
	require.NoError(t, err)
	defer opened.Close()

	require.NoError(t, replaceFile(link, credential.NewSecret("new")))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "new\n", string(text))
	is, err := os.Lstat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), is.Mode())
	require.Equal(t, uint32(65534), is.Sys().(*syscall.Stat_t).Gid)
	was := make([]byte, 4)
	_, err = opened.Read(was)
	require.NoError(t, err)
	require.Equal(t, "old\n", string(was), "it was replaced as a whole, not written over")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestAFileThatCannotBeReplacedIsFoundWithoutTouchingIt(t *testing.T) {
	s := &Client{api: server.Client()}
	s.login.init(identity{roleID: "r", secretIDFile: "/proc/self/comm"}) // nobody makes files there, not even root
	var stop *protocol.Stop
	require.ErrorAs(t, s.Replaceable(), &stop)
	require.Equal(t, protocol.ReasonRights, stop.Reason)
	require.Contains(t, stop.Detail, "was not destroyed")
	require.NotContains(t, stop.Detail, "/proc", "it travels through Temporal")

	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(file, []byte("mine\n"), 0o600))
	s.login.init(identity{roleID: "r", secretIDFile: file})
	require.NoError(t, s.Replaceable())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "mine\n", string(text))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
}
