package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/awaited"
	"rollcall/internal/listing"
	"rollcall/internal/vault/ownmount"
)

// silence words who was asked and has not answered. It advises to leave out
// what a campaign with that roll lets be left out, and nothing before there is
// one. Times are in zone.
func silence(spec *config.Campaign, index ownmount.RollIndex, silent []awaited.Server, zone *time.Location) string {
	doors := map[string][]string{} // by what is dialled
	at := listing.AtAddresses(spec, index.Doors).Doors
	for _, name := range slices.Sorted(maps.Keys(at)) {
		dialled := at[name].Pinned().Address
		doors[dialled] = append(doors[dialled], name)
	}
	var names, writes []string
	server, door := false, false
	for _, s := range silent {
		name := s.Name
		if these := doors[name]; len(these) > 0 {
			door, name = true, "door "+strings.Join(these, " or ")+" at "+name
		}
		for _, directory := range slices.Sorted(maps.Keys(index.Servers)) {
			switch i := slices.Index(index.Servers[directory], s.Name); {
			case i == 0:
				writes = append(writes, s.Name+" is the write server of "+spec.Called(directory)+", which cannot be left out")
			case i > 0:
				server = true
			}
		}
		names = append(names, fmt.Sprintf("%s (asked at %s)", name, s.Since.In(zone).Format(clockTime)))
	}
	text := "no answer yet from " + strings.Join(names, ", ") + "; each try there ends by itself (timeout in the campaign file), and what is not proved there stays open and is tried again"
	if index.Snapshot == "" {
		return text
	}
	if server {
		writes = append(writes, "`rollcall leave-out --server` takes out a server that will not come back")
	}
	if door {
		writes = append(writes, "`rollcall leave-out --door` takes out a door that will not come back, by its name")
	}
	return strings.Join(append([]string{text}, writes...), ". ")
}
