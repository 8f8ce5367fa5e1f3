package estate

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
)

// Doors of the estate: services in front of the directory, as the campaign file
// calls them.
const (
	FilesDoor = "files"
	MailDoor  = "mail"
	RelayDoor = "relay"
)

// RelayCache is for how long the relay's saslauthd keeps logins: what it does
// by itself, with the option -c that Debian's /etc/default/saslauthd has.
const RelayCache = 8 * time.Hour

// atDoors says which accounts log in at the doors as well.
func (e *Estate) atDoors(uid string) bool {
	return e.opts.Doors != "" && strings.HasPrefix(uid, e.opts.Doors)
}

// startDoors puts a mail server, which keeps logins, a file server and, where
// it is asked for, a mail relay in front of the directory.
func (e *Estate) startDoors(ctx context.Context) error {
	if e.opts.Doors == "" {
		return nil
	}
	dir := func(name string) string { return filepath.Join(e.Dir, name) }
	for _, name := range []string{"dovecot", "proftpd", "saslauthd", "postfix"} {
		if err := os.MkdirAll(dir(name), 0o755); err != nil {
			return err
		}
	}
	all, within := errgroup.WithContext(ctx)
	all.Go(func() (err error) {
		e.Mail, err = lab.StartDovecot(within, lab.DovecotOptions{Dir: dir("dovecot"), CA: e.CA, Directory: e.Slapd, Cache: e.opts.DoorCache, AtOnce: !e.opts.DoorDelays})
		return err
	})
	all.Go(func() (err error) {
		e.Files, err = lab.StartProFTPD(within, lab.ProFTPDOptions{Dir: dir("proftpd"), CA: e.CA, Directory: e.Slapd})
		return err
	})
	if e.opts.Relay {
		all.Go(func() (err error) {
			if e.Checker, err = lab.StartSaslauthd(within, lab.SaslauthdOptions{Dir: dir("saslauthd"), Directory: e.Slapd, Cache: RelayCache}); err != nil {
				return err
			}
			e.Relay, err = lab.StartPostfix(within, lab.PostfixOptions{Dir: dir("postfix"), CA: e.CA, Saslauthd: e.Checker})
			return err
		})
	}
	return all.Wait()
}

// stopDoors stops those that run.
func (e *Estate) stopDoors(ctx context.Context) {
	if e.Relay != nil {
		_ = e.Relay.Stop(ctx)
	}
	if e.Checker != nil {
		_ = e.Checker.Stop(ctx)
	}
	if e.Mail != nil {
		_ = e.Mail.Stop(ctx)
	}
	if e.Files != nil {
		_ = e.Files.Stop(ctx)
	}
}

// DoorPlaces are where the doors are, by name, as the campaign file and the
// intruder write it.
func (e *Estate) DoorPlaces() map[string]string {
	if e.opts.Doors == "" {
		return nil
	}
	at := map[string]string{MailDoor: "imaps://" + e.Mail.Address("imaps"), FilesDoor: "ftp://" + e.Files.Address("strict")}
	if e.Relay != nil {
		at[RelayDoor] = "submission://" + e.Relay.Address("submission")
	}
	return at
}

// DoorsYAML is the doors' part of a campaign file, which CampaignFile leaves to
// who calls it: a campaign without it looks at the directory alone.
func (e *Estate) DoorsYAML() string {
	if e.opts.Doors == "" {
		return ""
	}
	var b strings.Builder
	if e.Relay != nil {
		fmt.Fprintf(&b, "accept:\n  - {door: %s, finding: %s, until: %q, reason: its saslauthd ends with these servers and they serve nobody else}\n", RelayDoor, credential.FindingOtherSpellings, time.Now().UTC().Add(48*time.Hour).Format(time.DateOnly))
	}
	b.WriteString("doors:\n")
	at := e.DoorPlaces()
	for _, name := range slices.Sorted(maps.Keys(at)) {
		kind, address, _ := strings.Cut(at[name], "://")
		fmt.Fprintf(&b, "  %s:\n    type: %s\n    address: %q\n    ca_file: ca.pem\n    for: [{directory: corp, account: %q}]\n", name, kind, address, e.opts.Doors+"*")
	}
	return b.String()
}

// stolenAtDoors has the intruder try a stolen value at the doors.
func (e *Estate) stolenAtDoors(uid, value string) {
	if !e.atDoors(uid) {
		return
	}
	servers := slices.Sorted(maps.Values(e.DoorPlaces()))
	e.AtDoors = append(e.AtDoors, intruder.Stolen{ID: e.ID(uid), Kind: intruder.Service, Servers: servers,
		CAPEM: string(e.CA.PEM), User: uid, Password: value})
}
