package smb

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// A file server whose accounts are in a directory says the same to the right
// value while the directory is down as to a wrong one, or lets in a guest.
func TestAFileServerWhoseDirectoryIsDown(t *testing.T) {
	t.Parallel()
	password := credential.NewSecret("password")
	for mapped, down := range map[string]protocol.Reply{"never": protocol.Refused, "bad user": protocol.Guest} {
		t.Run(mapped, func(t *testing.T) {
			t.Parallel()
			directory := doortest.Start(t, lab.StartSMBDirectory, lab.SMBDirectoryOptions{Dir: t.TempDir(), Hashes: map[string]string{"plain": "8846F7EAEE8FB117AD06BDD830B7586C"}})
			global, setup := directory.Global()
			s := &office{t, doortest.Start(t, lab.StartSMBD, lab.SMBDOptions{Dir: t.TempDir(), Global: append(global, "map to guest = "+mapped), Setup: setup})}
			require.NoError(t, s.Users("plain"))
			require.Equal(t, protocol.Accepted, s.ask("plain", password))
			require.Equal(t, protocol.Refused, s.ask("plain", wrong))

			directory.Process().Pause()
			at := s.settings()
			at.Timeout = 300 * time.Millisecond
			require.Equal(t, protocol.Unreachable, doortest.Ask(t, Open(at), "plain", password))
			directory.Process().Resume()
			require.NoError(t, directory.Stop(t.Context()))
			at.Timeout = 2 * time.Minute
			require.Equal(t, down, doortest.Ask(t, Open(at), "plain", password))
		})
	}
}
