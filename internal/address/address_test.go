package address

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABusyMachineIsNotTakenForOneWhoseTwinDropsWhatIsSentThere(t *testing.T) {
	t.Parallel()
	answers := func(errs ...error) (err error, asked int) {
		err = insist(func() error { asked++; return errs[asked-1] })
		return err, asked
	}
	late := &os.SyscallError{Syscall: "connect", Err: syscall.ETIMEDOUT}

	err, asked := answers(late, nil)
	require.NoError(t, err, "it listens, and the first try did not come to its turn")
	require.Equal(t, 2, asked)
	err, _ = answers(late, syscall.ECONNREFUSED)
	require.True(t, nobody(err), "nothing listens there")
	err, asked = answers(syscall.ECONNREFUSED)
	require.True(t, nobody(err))
	require.Equal(t, 1, asked, "a refusal is an answer")
	err, _ = answers(late, late, late)
	require.False(t, nobody(err), "what is dropped may be a server that is down")
}
