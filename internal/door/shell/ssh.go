// Package shell asks doors of SSH.
package shell

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// SSH is a door of type ssh: a login with a password (RFC 4252), or, where that
// is not offered, by the one prompt for it (RFC 4256), or with a key. No
// command is run.
type SSH struct{ at door.Settings }

// Open gives the door.
func Open(s door.Settings) *SSH { return &SSH{s} }

// Methods of a login.
const (
	byPassword = "password"
	byPrompt   = "keyboard-interactive"
	byKey      = "publickey"
)

// Ask is door.Door. The value is sent once, by one method, because each try
// counts; and never to an unknown host.
func (d *SSH) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if login == "" || value.IsZero() {
		return door.Said{Reply: protocol.NotThisWay, Code: "an empty name or value"}
	}
	a := &attempt{value: value}
	if why := a.takes(d.at.Auth); why != "" {
		return door.Said{Reply: protocol.NotThisWay, Code: why}
	}
	keys, algorithms, err := known(d.at.HostKey)
	a.known = keys
	if err != nil {
		return door.Unreachable("host_key holds no key of a host")
	}
	raw, done, err := conn.Dial(ctx, d.at)
	if err != nil {
		return conn.Unreachable(err)
	}
	defer done()
	c, channels, requests, err := ssh.NewClientConn(raw, d.at.Address, &ssh.ClientConfig{
		User:              login,
		ClientVersion:     "SSH-2.0-rollcall",
		HostKeyAlgorithms: algorithms,
		HostKeyCallback:   a.host(keys),
		BannerCallback:    a.banner,
		AuthCallback:      a.next,
	})
	if err != nil {
		return a.judge(err)
	}
	go ssh.DiscardRequests(requests)
	go func() {
		for ch := range channels {
			_ = ch.Reject(ssh.Prohibited, "")
		}
	}()
	_ = c.Close()
	if a.sent == "" {
		return door.Said{Reply: protocol.Guest, Code: "none"}
	}
	return door.Said{Reply: protocol.Accepted, Code: a.sent}
}

// Software is door.Door: the version that a server says first (RFC 4253, 4.2).
func (d *SSH) Software(ctx context.Context) (string, error) {
	raw, done, err := conn.Dial(ctx, d.at)
	if err != nil {
		return "", conn.Explain(err)
	}
	defer done()
	in := conn.Lines(raw)
	for range 50 {
		line, err := conn.ReadLine(in)
		if err != nil {
			return "", conn.Explain(err)
		}
		if version, is := strings.CutPrefix(line, "SSH-2.0-"); is {
			return conn.Line(version), nil
		}
	}
	return "", errors.New("no SSH is spoken there")
}

// attempt is one login. Its methods are called one after the other.
type attempt struct {
	value   credential.Secret
	key     ssh.Signer     // what the value is; nil for a password
	sent    string         // the method by which the value was sent
	told    bool           // a banner came after that
	partial bool           // the value was right, and more is asked for
	verdict protocol.Reply // of a prompt that is not answered
	why     string
	known   []ssh.PublicKey
	other   string // the fingerprint of a host key that is not known
}

var (
	errUnknownHost = errors.New("another host key")
	errNotAnswered = errors.New("a prompt that is not answered")
)

func (a *attempt) host(keys []ssh.PublicKey) ssh.HostKeyCallback {
	return func(_ string, _ net.Addr, key ssh.PublicKey) error {
		for _, k := range keys {
			if string(k.Marshal()) == string(key.Marshal()) {
				return nil
			}
		}
		a.other = fingerprint(key)
		return errUnknownHost
	}
}

// banner: sshd hands on what PAM says of an account whose value was right
// (expired), and then hangs up.
func (a *attempt) banner(string) error {
	a.told = a.told || a.sent != ""
	return nil
}

// next chooses how to go on after "none" told the methods. Whatever comes of
// the one that is chosen, no second one follows.
func (a *attempt) next(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	switch {
	case len(c.PartialSuccessMethods) > 0:
		a.partial = true
		return nil, nil
	case a.sent != "" || slices.Contains(c.TriedMethods, byPrompt):
		return nil, nil
	case a.key != nil && slices.Contains(c.AllowedMethods, byKey):
		// The server is asked about the public half first (RFC 4252, 7).
		a.sent = byKey
		return ssh.PublicKeys(a.key), nil
	case a.key != nil:
		return nil, nil
	case slices.Contains(c.AllowedMethods, byPassword):
		return ssh.PasswordCallback(func() (string, error) {
			a.sent = byPassword
			return a.value.Reveal(), nil
		}), nil
	case slices.Contains(c.AllowedMethods, byPrompt):
		return ssh.KeyboardInteractive(a.prompted), nil
	}
	return nil, nil
}

// prompted answers one prompt, which asks for a password. A server that asks
// for more may be after a new one (pam_unix asks "Current password:", "New
// password:"), and whoever answers all of them changes it.
func (a *attempt) prompted(_, instruction string, questions []string, echos []bool) ([]string, error) {
	text := strings.ToLower(instruction + " " + strings.Join(questions, " "))
	stop := func(reply protocol.Reply, why string) ([]string, error) {
		a.verdict, a.why = reply, why
		return nil, errNotAnswered
	}
	switch {
	case len(questions) == 0:
		return nil, nil
	case a.sent != "" && (strings.Contains(text, "current password") || strings.Contains(text, "new password")):
		return stop(protocol.MustChange, "a prompt for a new password")
	case strings.Contains(text, "locked"):
		// pam_faillock, to right and wrong values.
		return stop(protocol.Locked, "a prompt that says: locked")
	case a.sent != "":
		return stop(protocol.NotThisWay, "a second prompt")
	case len(questions) > 1 || len(echos) > 0 && echos[0] || !strings.Contains(text, "password") || strings.Contains(text, "new"):
		return stop(protocol.NotThisWay, "no prompt for a password")
	}
	a.sent = byPrompt
	return []string{a.value.Reveal()}, nil
}

// judge says what the end of a login means that did not succeed.
func (a *attempt) judge(err error) door.Said {
	text := err.Error()
	switch {
	case a.other != "":
		return a.otherKey("its host key is " + a.other)
	case a.verdict != "":
		return door.Said{Reply: a.verdict, Code: a.why}
	case a.partial:
		return door.Said{Reply: protocol.Restricted, Code: a.sent + ", partial success"}
	case a.sent != "" && a.told && hungUp(err):
		return door.Said{Reply: protocol.Restricted, Code: a.sent + ", a banner and the end"}
	case strings.Contains(text, refusedText) && a.sent == "":
		return door.Said{Reply: protocol.NotThisWay, Code: a.notOffered()}
	case strings.Contains(text, refusedText), a.sent != "" && strings.Contains(text, tooManyText):
		return door.Said{Reply: protocol.Refused, Code: a.sent}
	case strings.Contains(text, "no common algorithm for host key"):
		return a.otherKey("it has no host key of a type that is known")
	case strings.Contains(text, "no common algorithm"):
		return door.Unreachable("no algorithm in common")
	case errors.As(err, new(*ssh.ServerAuthError)):
		return door.Unreachable("an answer that is none of its protocol")
	}
	return conn.Unreachable(err)
}

// otherKey is a host that is not the known one.
func (a *attempt) otherKey(what string) door.Said {
	var all []string
	for _, k := range a.known {
		all = append(all, fingerprint(k))
	}
	return door.Trouble{Fault: door.OtherHostKey, Why: what + ", and not the one of host_key, " + strings.Join(all, ", ")}.Said()
}

// fingerprint is a key as ssh-keygen -lf shows it.
func fingerprint(key ssh.PublicKey) string {
	return ssh.FingerprintSHA256(key) + " (" + key.Type() + ")"
}

func (a *attempt) notOffered() string {
	if a.key != nil {
		return "publickey is not offered"
	}
	return "neither password nor keyboard-interactive is offered"
}

// Texts of x/crypto/ssh, which has no types for them. The first one comes only
// after a failure that the server said. The second one is sshd's to the one try
// that MaxAuthTries 1 leaves.
const (
	refusedText = "ssh: unable to authenticate, attempted methods"
	tooManyText = `ssh: disconnect, reason 2: "Too many authentication failures"`
)

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// known reads the host's keys, one a line, as known_hosts has them or without
// the host's name in front.
func known(text string) (keys []ssh.PublicKey, algorithms []string, err error) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			_, _, key, _, _, err = ssh.ParseKnownHosts([]byte(line))
		}
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, key)
		if key.Type() == ssh.KeyAlgoRSA {
			algorithms = append(algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			continue
		}
		algorithms = append(algorithms, key.Type())
	}
	if len(keys) == 0 {
		return nil, nil, errors.New("no key")
	}
	return keys, algorithms, nil
}
