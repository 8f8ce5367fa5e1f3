package cli

import (
	"fmt"
	"os"
	"strings"
	"time"
	_ "time/tzdata" // a host or image without zones knows them too

	"github.com/spf13/cobra"
)

func (a *app) timeZoneFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.timeZone, "time-zone", "", "show times in this zone, such as Europe/Berlin or local; default: TZ, else UTC")
}

// zone is where times for people are shown: as asked for, else where TZ is
// set, else UTC. The machine's own zone is not taken by itself: a record is
// read elsewhere.
func (a *app) zone() (*time.Location, error) {
	if a.timeZone == "" {
		return a.zoneOrUTC(), nil
	}
	zone, err := zoneCalled(a.timeZone)
	if err != nil {
		return nil, fmt.Errorf("--time-zone takes UTC, local or a name such as Europe/Berlin, not %q", a.timeZone)
	}
	return zone, nil
}

// zoneShown is zone of a command that has refused what --time-zone does not
// take.
func (a *app) zoneShown() *time.Location {
	zone, err := a.zone()
	if err != nil {
		return time.UTC
	}
	return zone
}

// zoneOrUTC is that of TZ. One that nobody knows is told, and does not keep
// the result back.
func (a *app) zoneOrUTC() *time.Location {
	name := strings.TrimPrefix(strings.TrimPrefix(os.Getenv("TZ"), ":"), "/usr/share/zoneinfo/")
	if name == "" {
		return time.UTC
	}
	zone, err := zoneCalled(name)
	if err != nil {
		a.say("note: TZ is %q, which is no name of a time zone (such as Europe/Berlin): times are in UTC", name)
		return time.UTC
	}
	return zone
}

// stampIn is a time of a JSON value as people are shown it.
func stampIn(stamp string, zone *time.Location) string {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return stamp
	}
	return t.In(zone).Format(time.RFC3339)
}

func zoneCalled(name string) (*time.Location, error) {
	switch strings.ToLower(name) {
	case "utc", "z":
		return time.UTC, nil
	case "local":
		return time.Local, nil
	}
	return time.LoadLocation(name)
}
