package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/mail"
	"rollcall/internal/hook"
	"rollcall/internal/notify/settings"
	"rollcall/internal/vault"
)

// Programs lie in these folders of the machine that runs the ledger's worker.
var (
	Folder       = hook.Folder{Path: "/etc/rollcall/notify.d", Env: "ROLLCALL_NOTIFY_DIR"}
	ReloadFolder = hook.Folder{Path: "/etc/rollcall/reload.d", Env: "ROLLCALL_RELOAD_DIR"}
)

// Secrets reads what Vault holds.
type Secrets interface {
	ReadLive(ctx context.Context, p credential.Path, version int) (vault.Live, error)
}

// post is one target, and what it takes to reach it.
type post struct {
	settings.Target
	secrets Secrets
	never   []string
	now     func() time.Time
}

// send tells one notice. said is for people, without what the receiver says.
func (p post) send(ctx context.Context, n Notice) (said string, ok bool) {
	body, err := json.Marshal(n)
	if err != nil {
		return "could not be written", false
	}
	switch {
	case p.Mail != nil:
		return p.mail(ctx, n)
	case p.URL != "":
		return p.webhook(ctx, n, body)
	}
	where := Folder
	if n.Event == settings.Reload {
		where = ReloadFolder
	}
	env := []string{"ROLLCALL_EVENT=" + string(n.Event), "ROLLCALL_EVENT_ID=" + n.ID, "ROLLCALL_DEVICE=" + n.Device, "ROLLCALL_CAMPAIGN=" + n.Campaign}
	if n.Incident != nil {
		env = append(env, "ROLLCALL_INCIDENT="+n.Incident.Number, "ROLLCALL_SEVERITY="+n.Incident.Severity)
	}
	return hook.Command{Folder: where, Argv: p.Command, Stdin: append(body, '\n'), Env: env}.Run(ctx)
}

func (p post) webhook(ctx context.Context, n Notice, body []byte) (said string, ok bool) {
	key, why := p.secret(ctx, p.Key)
	if why != "" {
		return why, false
	}
	header, err := Sign(key, n.ID, p.now(), body)
	if err != nil {
		return err.Error(), false
	}
	return hook.Post{URL: p.URL, CA: p.CA, Body: body, Header: header, Never: p.never}.Send(ctx)
}

// secretPrefix begins a key that is written in base64.
const secretPrefix = "whsec_"

// shortest is the least that a key may have: half a SHA-256.
const shortest = 16

// Sign is the header of a web hook by Standard Webhooks 1.0.0
// (https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body.
func Sign(key credential.Secret, id string, at time.Time, body []byte) (map[string]string, error) {
	raw := []byte(key.Reveal())
	if coded, ok := strings.CutPrefix(key.Reveal(), secretPrefix); ok {
		var err error
		if raw, err = base64.StdEncoding.DecodeString(coded); err != nil {
			return nil, errors.New("its key in Vault begins with whsec_ and is not base64 behind it")
		}
	}
	if len(raw) < shortest {
		return nil, fmt.Errorf("its key in Vault is shorter than %d bytes: put a longer one there", shortest)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := hmac.New(sha256.New, raw)
	fmt.Fprintf(sum, "%s.%s.%s", id, stamp, body)
	return map[string]string{
		"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": "v1," + base64.StdEncoding.EncodeToString(sum.Sum(nil)),
	}, nil
}

func (p post) secret(ctx context.Context, at credential.Path) (value credential.Secret, why string) {
	live, err := p.secrets.ReadLive(ctx, at, 0)
	switch {
	case vault.IsKind(err, vault.PermissionDenied):
		return value, fmt.Sprintf("was not told: the ledger worker may not read %s; run `rollcall init` again with this campaign file", at)
	case err != nil:
		return value, fmt.Sprintf("was not told: %s could not be read in Vault", at)
	case live.AsItLies().IsZero():
		return value, fmt.Sprintf("was not told: Vault holds nothing at %s", at)
	}
	return live.AsItLies(), ""
}

// mailTimeout bounds one mail.
const mailTimeout = time.Minute

func (p post) mail(ctx context.Context, n Notice) (said string, ok bool) {
	var password credential.Secret
	if p.Mail.Login != "" {
		var why string
		if password, why = p.secret(ctx, p.Mail.Password); why != "" {
			return why, false
		}
	}
	if hook.AtDevice(p.Mail.Server, p.never) {
		return hook.ErrDevice.Error(), false
	}
	at := door.Settings{Address: p.Mail.Server, TLS: door.StartTLS, CA: p.CA, Timeout: mailTimeout}
	if p.Mail.Implicit {
		at.TLS = door.Implicit
	}
	return mail.Send(ctx, at, p.Mail.Login, password, mail.Message{From: p.Mail.From, To: p.Mail.To, Text: letter(p.Mail, n)}, func(a net.Addr) error {
		if hook.AtDevice(a.String(), p.never) {
			return hook.ErrDevice
		}
		return nil
	})
}

// letter is a notice as mail. Its Message-ID is made of the notice's id, so
// that one that is sent again is known.
func letter(m *settings.Mail, n Notice) []byte {
	_, domain, _ := strings.Cut(m.From, "@")
	sum := sha256.Sum256([]byte(n.ID))
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", m.From}, {"To", strings.Join(m.To, ", ")}, {"Subject", mime.QEncoding.Encode("utf-8", subject(n))},
		{"Date", n.At.Format(time.RFC1123Z)}, {"Message-ID", fmt.Sprintf("<%x@%s>", sum[:16], domain)}, {"Rollcall-Event", string(n.Event)},
		{"Auto-Submitted", "auto-generated"}, {"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(words(n)))
	_ = w.Close()
	return b.Bytes()
}

// subject is cut to what mail programs show: all of it is in the mail.
func subject(n Notice) string {
	about := ""
	if n.Incident != nil {
		about = line(n.Incident.Number) + ": " // by which a ticket system knows its own
	}
	s := []rune(fmt.Sprintf("[rollcall %s] %s%s", n.Event, about, line(n.Text)))
	return string(s[:min(len(s), 150)])
}

// line is a text without what would end a header.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// words are a notice for people.
func words(n Notice) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\r\n\r\n", line(n.Text))
	if n.Incident != nil {
		fmt.Fprintf(&b, "Incident %s\r\n\r\n", line(n.Incident.Words()))
	}
	for _, f := range n.Findings {
		fmt.Fprintf(&b, "- %s (%s)", line(f.What), f.Code)
		if f.Credential != "" {
			fmt.Fprintf(&b, ": %s", line(f.Credential))
		}
		if f.Detail != "" {
			fmt.Fprintf(&b, "\r\n  %s", line(f.Detail))
		}
		b.WriteString("\r\n")
	}
	for _, s := range n.Open {
		fmt.Fprintf(&b, "- %d open: %s", s.Number, line(s.What))
		if s.Server != "" {
			fmt.Fprintf(&b, " (%s)", line(s.Server))
		}
		fmt.Fprintf(&b, "\r\n  %s\r\n", line(strings.Join(s.Names, "; ")))
	}
	if n.More > 0 {
		fmt.Fprintf(&b, "- and %d more: rollcall report\r\n", n.More)
	}
	fmt.Fprintf(&b, "\r\ndevice %s, campaign %s, %s\r\nid %s\r\n", n.Device, n.Campaign, n.At.UTC().Format(time.RFC3339), n.ID)
	return b.String()
}
