package estate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rollcall/internal/intruder"
	"rollcall/internal/lab"
)

// Doors of the estate: services in front of the directory, as the campaign file
// calls them.
const (
	MailDoor  = "mail"
	FilesDoor = "files"
)

// atDoors says which accounts log in at the doors as well.
func (e *Estate) atDoors(uid string) bool {
	return e.opts.Doors != "" && strings.HasPrefix(uid, e.opts.Doors)
}

// startDoors puts a mail server, which keeps logins, and a file server in front
// of the directory.
func (e *Estate) startDoors(ctx context.Context) (err error) {
	if e.opts.Doors == "" {
		return nil
	}
	dir := func(name string) string { return filepath.Join(e.Dir, name) }
	for _, name := range []string{"dovecot", "proftpd"} {
		if err := os.MkdirAll(dir(name), 0o755); err != nil {
			return err
		}
	}
	e.Mail, err = lab.StartDovecot(ctx, lab.DovecotOptions{Dir: dir("dovecot"), CA: e.CA, Directory: e.Slapd, Cache: e.opts.DoorCache, AtOnce: true})
	if err != nil {
		return err
	}
	e.Files, err = lab.StartProFTPD(ctx, lab.ProFTPDOptions{Dir: dir("proftpd"), CA: e.CA, Directory: e.Slapd})
	return err
}

// DoorPlaces are where the doors are, by name, as the campaign file and the
// intruder write it.
func (e *Estate) DoorPlaces() map[string]string {
	if e.opts.Doors == "" {
		return nil
	}
	return map[string]string{MailDoor: "imaps://" + e.Mail.Address("imaps"), FilesDoor: "ftp://" + e.Files.Address("strict")}
}

// DoorsYAML is the doors' part of a campaign file, which CampaignFile leaves to
// who calls it: a campaign without it looks at the directory alone.
func (e *Estate) DoorsYAML() string {
	if e.opts.Doors == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("doors:\n")
	for _, name := range []string{MailDoor, FilesDoor} {
		kind, address, _ := strings.Cut(e.DoorPlaces()[name], "://")
		fmt.Fprintf(&b, "  %s:\n    type: %s\n    address: %q\n    ca_file: ca.pem\n    for: [{directory: corp, account: %q}]\n", name, kind, address, e.opts.Doors+"*")
	}
	return b.String()
}

// stolenAtDoors has the intruder try a stolen value at the doors.
func (e *Estate) stolenAtDoors(uid, value string) {
	if !e.atDoors(uid) {
		return
	}
	at := e.DoorPlaces()
	e.AtDoors = append(e.AtDoors, intruder.Stolen{ID: e.ID(uid), Kind: intruder.Service, Servers: []string{at[MailDoor], at[FilesDoor]},
		CAPEM: string(e.CA.PEM), User: uid, Password: value})
}
