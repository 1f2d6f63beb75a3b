package mapping

import (
	"fmt"
	"strings"
)

// People joins the names a person has in the systems around us.
type People struct {
	Name   string  `yaml:"name"`
	People []Human `yaml:"people"`
}

// Human is one person: a name that policies use, and the accounts by connection name.
type Human struct {
	Name     string              `yaml:"name"`
	Mail     string              `yaml:"mail"`
	Accounts map[string][]string `yaml:"accounts"`
}

// ParsePeople reads a People document. Two people with one name, mail or account are a fault; comparing several
// documents is left to who holds them all.
func ParsePeople(text []byte) (*People, error) {
	var d struct {
		Kind   string `yaml:"kind"`
		People `yaml:",inline"`
	}
	s, err := decode(text, "People", &d)
	if err != nil {
		return nil, err
	}
	var faults Errors
	owner := map[string]string{}
	claim := func(path, what, key, person string) {
		key = what + "\x00" + strings.ToLower(key)
		if other, taken := owner[key]; taken {
			faults = append(faults, s.at(path, 0, fmt.Sprintf("%s already belongs to %s", what, other)))
			return
		}
		owner[key] = person
	}
	for i, h := range d.People.People {
		path := fmt.Sprintf("people[%d]", i)
		if message := nameFault(h.Name); message != "" {
			faults = append(faults, s.at(path+".name", 0, message))
			continue
		}
		claim(path+".name", "this name", h.Name, h.Name)
		if h.Mail != "" {
			claim(path+".mail", "this mail address", h.Mail, h.Name)
		}
		for _, connection := range sortedKeys(h.Accounts) {
			for n, account := range h.Accounts[connection] {
				at := fmt.Sprintf("%s.accounts.%s[%d]", path, connection, n)
				if account == "" {
					faults = append(faults, s.at(at, 0, "an account is missing"))
					continue
				}
				claim(at, "this account at "+connection, account, h.Name)
			}
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return &d.People, nil
}
