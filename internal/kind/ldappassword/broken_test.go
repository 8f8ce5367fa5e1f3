package ldappassword

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func TestUntrustedCertificateIsAClearErrorAndNoAnswer(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{}, false)
	other, err := lab.NewCA()
	require.NoError(t, err)
	for name, change := range map[string]func(*config.Directory){
		"LDAPS":    func(*config.Directory) {},
		"StartTLS": func(d *config.Directory) { d.StartTLS, d.Servers = true, []string{w.provider.LDAP()} },
	} {
		t.Run(name, func(t *testing.T) {
			good := w.open(t, w.binder())
			c, inForce := w.credential(t)
			acc := account(t, good, c)
			d := w.binder()
			change(&d)
			d.CA = string(other.PEM)
			a := w.open(t, d)
			_, err := a.Account(t.Context(), a.Servers()[0], c)
			require.ErrorContains(t, err, "is not trusted")
			require.ErrorContains(t, err, "ca_file")
			_, err = a.Try(t.Context(), a.Servers()[0], acc, inForce)
			require.ErrorContains(t, err, "is not trusted")
		})
	}
}

func TestWrongBindPasswordNamesServerAndIdentityAndIsOfferedOnce(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{MaxFailure: 20}, false) // slapd counts failures only if they can lock
	c, _ := w.credential(t)
	d := w.binder()
	// One of its own kind, so that the failures are its own.
	victim, _ := w.credential(t)
	d.Bind.DN = victim.Name
	wrong := credential.NewSecret("not-the-password-of-this-one")
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) { return wrong, nil })
	require.NoError(t, err)
	a := New(client, config.PasswordPolicy{}, nil)
	t.Cleanup(func() { require.NoError(t, client.Close()) })

	errs := make(chan error, 32)
	for range cap(errs) {
		go func() {
			_, err := a.Account(t.Context(), a.Servers()[0], c)
			errs <- err
		}()
	}
	for range cap(errs) {
		err := <-errs
		require.ErrorContains(t, err, w.provider.LDAPS())
		require.ErrorContains(t, err, "bind.dn")
		require.ErrorContains(t, err, "kv/rollcall/bind#password")
		require.NotContains(t, err.Error(), wrong.Reveal())
	}
	require.Len(t, w.attrs(t, w.provider, victim.Name, "pwdFailureTime"), 1, "a wrong password is offered once, or the identity gets locked")
}

func TestServerThatHangsIsUnreachableAfterTheTimeoutAndWorksAgain(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{}, false)
	d := w.binder()
	d.Timeout = config.Duration(2 * time.Second) // of what is well, too, on a busy machine
	a := w.open(t, d)
	c, inForce := w.credential(t)
	acc := account(t, w.open(t, w.binder()), c)
	require.Eventually(t, func() bool {
		got, err := a.Try(t.Context(), a.Servers()[0], acc, inForce)
		_, shown := a.Account(t.Context(), a.Servers()[0], c)
		return err == nil && got == protocol.Accepted && shown == nil
	}, 5*time.Minute, time.Millisecond, "it has a connection")

	w.provider.Process().Pause()
	next := fresh(t, a)
	err := a.Set(t.Context(), acc, next, inForce)
	var stop *protocol.Stop
	require.Error(t, err)
	require.NotErrorAs(t, err, &stop, "a lost answer must not pass for a refusal")
	require.Equal(t, protocol.Unreachable, try(t, a, a.Servers()[0], acc, inForce))
	_, err = a.Account(t.Context(), a.Servers()[0], c)
	requireStop(t, err, protocol.ReasonUnreachable, "does not answer")
	w.provider.Process().Resume()

	// The reset was on the wire: the server applies it when it wakes, after
	// the caller was told that the answer is lost.
	require.Eventually(t, func() bool {
		got, err := a.Try(t.Context(), a.Servers()[0], acc, next)
		return err == nil && got == protocol.Accepted
	}, time.Minute, 20*time.Millisecond)
}

func TestConnectionCutUnderAResetIsALostAnswerAndTheNextCallWorks(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{}, false)
	a := w.open(t, w.binder())
	c, inForce := w.credential(t)
	acc := account(t, a, c)
	next := fresh(t, a)

	w.provider.Process().Pause() // so that the request cannot be answered before the cut
	done := make(chan error, 1)
	go func() { done <- a.Set(t.Context(), acc, next, inForce) }()
	require.Eventually(t, func() bool { return unread(t, w.provider.LDAPS()) }, time.Minute, time.Millisecond)
	w.provider.Process().Kill()
	err := <-done
	var stop *protocol.Stop
	require.Error(t, err)
	require.NotErrorAs(t, err, &stop)

	require.NoError(t, w.provider.Restart(t.Context()))
	require.NoError(t, a.Set(t.Context(), account(t, a, c), next, inForce))
	require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], acc, inForce))
	require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, next))
}

// unread reports whether something was sent to a server that it has not read
// (rx_queue in /proc/net/tcp, proc(5)).
func unread(t *testing.T, server string) bool {
	_, text, _ := strings.Cut(strings.TrimPrefix(server, "ldaps://"), ":")
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	connections, err := os.ReadFile("/proc/net/tcp")
	require.NoError(t, err)
	for line := range strings.Lines(string(connections)) {
		fields := strings.Fields(line)
		const established = "01"
		if fields[1] != fmt.Sprintf("0100007F:%04X", port) || fields[3] != established {
			continue
		}
		if _, queue, _ := strings.Cut(fields[4], ":"); strings.Trim(queue, "0") != "" {
			return true
		}
	}
	return false
}

func TestEndedDeadlineCutsAHangingCall(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{}, false)
	d := w.binder()
	d.Timeout = config.Duration(time.Hour)
	a := w.open(t, d)
	c, inForce := w.credential(t)
	acc := account(t, a, c)
	w.provider.Process().Pause()
	defer w.provider.Process().Resume()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := a.Try(ctx, a.Servers()[0], acc, inForce)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), 30*time.Minute, "not the directory's timeout of an hour")
}

func TestRestartedServerCostsNoFailedRead(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{}, false)
	a := w.open(t, w.binder())
	c, _ := w.credential(t)
	account(t, a, c)
	require.NoError(t, w.provider.Restart(t.Context()))
	account(t, a, c)
}
