package notify

import (
	"context"
	"errors"
	"net"
	"net/url"

	"rollcall/internal/hook"
	"rollcall/internal/notify/settings"
)

// Reach looks whether a receiver can be told from this machine, and tells it
// nothing: a web hook and a mail server are connected to, and a command is
// looked at. reload: it is one of used_by. never are names and addresses of the
// compromised device. What a receiver answers to a notice it cannot say.
func Reach(ctx context.Context, t settings.Target, reload bool, never []string) (said string, err error) {
	switch {
	case t.Mail != nil:
		return "accepts connections; no mail was sent", hook.Reach(ctx, t.Mail.Server, t.CA, t.Mail.Implicit, never)
	case t.URL != "":
		at, err := url.Parse(t.URL)
		if err != nil {
			return "", err
		}
		port := at.Port()
		if port == "" {
			port = "443"
		}
		return "accepts connections, and its certificate is trusted; nothing was posted", hook.Reach(ctx, net.JoinHostPort(at.Hostname(), port), t.CA, true, never)
	}
	folder := Folder
	if reload {
		folder = ReloadFolder
	}
	if _, why := folder.Allowed(t.Command[0]); why != "" {
		return "", errors.New(t.Command[0] + " would not be run: " + why)
	}
	return t.Command[0] + " is there and may be run; it was not", nil
}
