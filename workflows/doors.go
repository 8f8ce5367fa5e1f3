package workflows

import (
	"time"

	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// sameEnd keeps the time at which a door's cache is over, as it was when the
// door took the stolen value first: what a cache has of it grows no older by
// being asked.
func sameEnd(known []wire.OpenItem, applied []wire.AppliedItem) {
	was := map[int]wire.OpenItem{}
	for _, k := range known {
		was[k.Index] = k
	}
	for _, a := range applied {
		if k := was[a.Index]; a.Stop != nil && a.Stop.Reason == protocol.ReasonDoorTakesOld && k.Reason == a.Stop.Reason && k.Server == a.Stop.Server && k.Until > 0 {
			a.Stop.Until = time.Unix(k.Until, 0).UTC()
		}
	}
}

// awaited reports whether what keeps it open ends by itself after the pass
// began, as the campaign file says.
func awaited(it wire.OpenItem, began time.Time) bool {
	return it.Wait && time.Unix(it.Until, 0).After(began)
}
