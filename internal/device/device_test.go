package device

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// One that answers, one that stops, one that starts again, and one that is
// gone and whose port refuses: all on real sockets.
func TestADeviceThatIsSilentDoesNotAnswerAndARefusalIsAnAnswer(t *testing.T) {
	t.Parallel()
	d, err := lab.StartAppliance("127.0.0.77")
	require.NoError(t, err)
	t.Cleanup(d.Close)
	other, err := lab.StartAppliance("127.0.0.78")
	require.NoError(t, err)
	t.Cleanup(other.Close)
	ask := func(addresses ...string) []string {
		answers, err := Ask(t.Context(), addresses, []int{d.Port})
		require.NoError(t, err)
		return answers
	}
	place := func(a string) string { return fmt.Sprintf("%s:%d ", a, d.Port) }

	began := time.Now()
	require.Empty(t, ask("127.0.0.77"), "silent")
	require.GreaterOrEqual(t, time.Since(began), patience, "silence is known when the time is over, and no sooner")
	d.Answer()
	require.Equal(t, []string{place("127.0.0.77") + Accepts}, ask("127.0.0.77"))
	require.NoError(t, d.Silence())
	require.Empty(t, ask("127.0.0.77"), "it stopped")
	d.Answer()
	require.Equal(t, []string{place("127.0.0.77") + Accepts, place("127.0.0.79") + Refuses}, ask("127.0.0.77", "127.0.0.79"),
		"it started again, and at another address something refuses")
	d.Close()
	require.Equal(t, []string{place("127.0.0.77") + Refuses}, ask("127.0.0.77"))
}

// A machine that is busy, or slept, has not seen the answer yet when it wakes
// up. That is no silence: a new value would be set while the thief looks on.
func TestAnAnswerThatCameWhileThisProcessDidNotRunIsSeen(t *testing.T) {
	d, err := lab.StartAppliance("127.0.0.76")
	require.NoError(t, err)
	t.Cleanup(d.Close)
	d.Answer()
	sent = func() { patience = time.Nanosecond }
	t.Cleanup(func() { sent, patience = func() {}, 2*time.Second })
	answers, err := Ask(t.Context(), []string{"127.0.0.76"}, []int{d.Port})
	require.NoError(t, err)
	require.Equal(t, []string{fmt.Sprintf("127.0.0.76:%d %s", d.Port, Accepts)}, answers)
	d.Close()
	answers, err = Ask(t.Context(), []string{"127.0.0.76"}, []int{d.Port})
	require.NoError(t, err)
	require.Equal(t, []string{fmt.Sprintf("127.0.0.76:%d %s", d.Port, Refuses)}, answers)
}

// A look of a moment ago is gone by, an older one too while the device is asked
// beside the work, and one that is older than that is waited for.
func TestADeviceIsAskedAgainBesideTheWorkAndThenWaitedFor(t *testing.T) {
	t.Parallel()
	d, err := lab.StartAppliance("127.0.0.75")
	require.NoError(t, err)
	t.Cleanup(d.Close)
	d.Answer()
	asked := func(ago time.Duration) (*Watch, []string) {
		w := NewWatch([]string{"127.0.0.75"}, []int{d.Port}, time.Now().Add(-ago))
		heard, err := w.Look(t.Context())
		require.NoError(t, err)
		return w, heard
	}
	w, heard := asked(0)
	require.Empty(t, heard)
	require.Nil(t, w.asking)
	w, heard = asked(7 * time.Second)
	require.Empty(t, heard)
	require.Eventually(t, func() bool { heard, _ := w.Seen(); return len(heard) == 1 }, time.Minute, 10*time.Millisecond)
	w, heard = asked(21 * time.Second)
	require.Len(t, heard, 1)
	again, err := w.Look(t.Context())
	require.NoError(t, err)
	require.Equal(t, heard, again)
}

func TestWhatKeepsThisMachineFromAskingIsNoSilence(t *testing.T) {
	t.Parallel()
	for _, e := range []error{syscall.EPERM, syscall.EACCES, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.EINVAL} {
		_, err := judge(t.Context(), fmt.Errorf("dial: %w", e))
		require.Error(t, err, e)
	}
	for _, e := range silent {
		what, err := judge(t.Context(), fmt.Errorf("dial: %w", e))
		require.NoError(t, err, e)
		require.Empty(t, what)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Ask(ended, []string{"127.0.0.1"}, []int{1})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, mustAsk(t, nil, nil))
}

func mustAsk(t *testing.T, addresses []string, ports []int) []string {
	answers, err := Ask(t.Context(), addresses, ports)
	require.NoError(t, err)
	return answers
}

func TestEachAddressOfANameIsAsked(t *testing.T) {
	t.Parallel()
	all, err := Addresses(t.Context(), []string{"192.0.2.10", "localhost", "2001:db8::10", "192.0.2.10"})
	require.NoError(t, err)
	require.Contains(t, all, "127.0.0.1")
	require.Contains(t, all, "2001:db8::10")
	require.Contains(t, all, "192.0.2.10")
	_, err = Addresses(t.Context(), []string{"gone.invalid"})
	require.ErrorContains(t, err, "gone.invalid has no address now, so it cannot be asked")
	require.ErrorContains(t, err, "write the IP address that the device had")
}
