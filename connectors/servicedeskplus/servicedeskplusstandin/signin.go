package servicedeskplusstandin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// token trades the refresh token for an access token. A refusal is answered 200, as Zoho does.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls["token"]++
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	answer := map[string]any{"error": "invalid_code"}
	if r.Method == http.MethodPost && r.ParseForm() == nil && r.PostForm.Get("grant_type") == "refresh_token" && s.o.RefreshToken != "" &&
		r.PostForm.Get("client_id") == s.o.ClientID && r.PostForm.Get("client_secret") == s.o.ClientSecret && r.PostForm.Get("refresh_token") == s.o.RefreshToken {
		s.issued++
		token := fmt.Sprintf("1000.access-%d", s.issued)
		s.tokens[token] = s.o.Now().Add(s.o.TokenLife)
		answer = map[string]any{
			"access_token": token, "api_domain": "https://www.zohoapis.com", "token_type": "Bearer", "expires_in": int(s.o.TokenLife.Seconds()),
		}
	}
	_ = json.NewEncoder(w).Encode(answer) // the caller may be gone
}

func (s *Server) signedIn(r *http.Request) error {
	if s.o.Edition == OnPrem {
		if s.o.AuthToken != "" && r.Header.Get("authtoken") == s.o.AuthToken {
			return nil
		}
		return refuse(http.StatusUnauthorized, 4022, "The given API key is not valid")
	}
	word, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if end, known := s.tokens[token]; word == "Zoho-oauthtoken" && known && s.o.Now().Before(end) {
		return nil
	}
	return refuse(http.StatusUnauthorized, 4022, "The access token is not valid")
}

// RevokeTokens ends every access token given so far.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}
