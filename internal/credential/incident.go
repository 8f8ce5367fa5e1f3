package credential

// Incident is the ticket of what happened to the device, in the words of
// whoever keeps the tickets: what the campaign file says, and no more than
// that. The zero value is none.
type Incident struct {
	Number     string `json:"number,omitempty"`
	Severity   string `json:"severity,omitempty"`
	ApprovedBy string `json:"approved_by,omitempty"` // who had the campaign begun
}

// Words are the incident in a line; empty where there is none.
func (i Incident) Words() string {
	if i.Number == "" {
		return ""
	}
	text := i.Number
	if i.Severity != "" {
		text += ", severity " + i.Severity
	}
	if i.ApprovedBy != "" {
		text += ", approved by " + i.ApprovedBy
	}
	return text
}
