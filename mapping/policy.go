package mapping

import "fmt"

// What a Policy says of a case whose requester is nobody we know.
const (
	Refuse = "refuse"
	Allow  = "allow"
)

// Policy says who may decide.
type Policy struct {
	Name             string    `yaml:"name"`
	Approvers        Approvers `yaml:"approvers"`
	UnknownRequester string    `yaml:"unknown_requester"` // Refuse or Allow
}

// Approvers are those who may decide: people by the names in People documents, groups as the desk reports them.
type Approvers struct {
	People []string `yaml:"people"`
	Groups []string `yaml:"groups"`
}

// ParsePolicy reads a Policy document. A policy without any approver is a fault: nobody could ever decide.
func ParsePolicy(text []byte) (*Policy, error) {
	var d struct {
		Kind   string `yaml:"kind"`
		Policy `yaml:",inline"`
	}
	s, err := decode(text, "Policy", &d)
	if err != nil {
		return nil, err
	}
	p := &d.Policy
	var faults Errors
	if len(p.Approvers.People)+len(p.Approvers.Groups) == 0 {
		faults = append(faults, s.at("approvers", 0, "a policy names at least one person or group that may approve"))
	}
	named := func(path string, names []string) {
		for i, name := range names {
			if name == "" {
				faults = append(faults, s.at(fmt.Sprintf("%s[%d]", path, i), 0, "a name is missing"))
			}
		}
	}
	named("approvers.people", p.Approvers.People)
	named("approvers.groups", p.Approvers.Groups)
	switch p.UnknownRequester {
	case "":
		p.UnknownRequester = Refuse
	case Refuse, Allow:
	default:
		faults = append(faults, s.at("unknown_requester", 0, "unknown_requester is refuse or allow"))
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return p, nil
}
