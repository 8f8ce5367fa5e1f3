// Package flush ends what a door keeps of an old value, by a command or a web
// hook of the operator. It is told names and no value.
package flush

import (
	"context"
	"encoding/json"
	"strings"

	"rollcall/internal/door"
	"rollcall/internal/hook"
)

// Folder is where commands lie that a worker runs for a campaign file: whoever
// may write such a file chooses among them, and brings none along.
var Folder = hook.Folder{Path: "/etc/rollcall/flush.d", Env: "ROLLCALL_FLUSH_DIR"}

// Longest is how long one may take.
const Longest = hook.Longest

// Names is what it is told.
type Names struct {
	Door, Login, Device, Campaign string
}

// NotHere is why a command is not run on this machine; "" where it is.
func NotHere(f door.Flush) string {
	if len(f.Command) == 0 {
		return ""
	}
	_, why := Folder.Allowed(f.Command[0])
	return why
}

// Run flushes one door for one login. said is for the record: "exit code 0",
// "answered 204". ok: it did what it is for, as far as that shows. never are
// the hosts of devices that were in foreign hands, to which nothing is sent.
func Run(ctx context.Context, s door.Settings, never []string, n Names) (said string, ok bool) {
	if s.Flush.URL != "" {
		body, err := json.Marshal(map[string]string{"door": n.Door, "login": n.Login, "device": n.Device, "campaign": n.Campaign})
		if err != nil {
			return "could not be sent", false
		}
		return hook.Post{URL: s.Flush.URL, CA: s.CA, Body: body, Never: never}.Send(ctx)
	}
	argv := []string{s.Flush.Command[0]}
	for _, a := range s.Flush.Command[1:] {
		if a == "{login}" && strings.HasPrefix(n.Login, "-") {
			return "was not run: the login's name begins with a hyphen, and would be taken for an option", false
		}
		argv = append(argv, strings.ReplaceAll(a, "{login}", n.Login))
	}
	return hook.Command{Folder: Folder, Argv: argv, Env: []string{
		"ROLLCALL_DOOR=" + n.Door, "ROLLCALL_LOGIN=" + n.Login, "ROLLCALL_DEVICE=" + n.Device, "ROLLCALL_CAMPAIGN=" + n.Campaign,
	}}.Run(ctx)
}
