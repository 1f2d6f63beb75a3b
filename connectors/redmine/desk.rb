# frozen_string_literal: true

# Tells Drawbridge at once that a ticket was changed. Put this file into config/initializers as drawbridge.rb, set in
# config/configuration.yml
#
#   production:
#     drawbridge_url: https://bridge.example.com/in/redmine
#     drawbridge_secret: at least 32 random characters
#     drawbridge_login: drawbridge        # the login of Drawbridge's account
#
# (or the environment variables DRAWBRIDGE_URL, DRAWBRIDGE_SECRET and DRAWBRIDGE_LOGIN), and restart Redmine. A notice
# that is lost is made up for by Drawbridge, which asks for changed tickets as well.
require 'json'
require 'net/http'
require 'openssl'

module DrawbridgeNotice
  def self.setting(name)
    ENV["DRAWBRIDGE_#{name.upcase}"].presence || Redmine::Configuration["drawbridge_#{name}"].presence
  end

  # Sends from a thread of its own, so that nobody waits for the bridge.
  def self.tell(issue, journal)
    url = setting('url')
    secret = setting('secret')
    return unless url && secret

    body = JSON.generate('issue' => issue, 'journal' => journal)
    time = Time.now.to_i.to_s
    headers = {
      'Content-Type' => 'application/json',
      'X-Drawbridge-Timestamp' => time,
      'X-Drawbridge-Signature' => "sha256=#{OpenSSL::HMAC.hexdigest('SHA256', secret, "#{time}.#{body}")}"
    }
    Thread.new { post(URI(url), body, headers) }
  end

  def self.post(uri, body, headers)
    http = Net::HTTP.new(uri.host, uri.port)
    http.use_ssl = uri.scheme == 'https'
    http.open_timeout = http.read_timeout = 3
    answer = http.post(uri.request_uri, body, headers)
    Rails.logger.warn("Drawbridge: #{answer.code}") unless answer.is_a?(Net::HTTPSuccess)
  rescue StandardError => e
    Rails.logger.warn("Drawbridge: #{e.class}")
  end
end

Rails.application.config.after_initialize do
  Journal.after_commit(on: :create) do
    author = issue&.author
    if author && author.login == DrawbridgeNotice.setting('login') && user_id != author.id
      DrawbridgeNotice.tell(issue.id, id)
    end
  end
end
