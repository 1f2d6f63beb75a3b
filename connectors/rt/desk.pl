#!/usr/bin/perl
# Sets Request Tracker 5 up for Drawbridge. Run it on its host as a user who may read its configuration:
#
#   perl -I/opt/rt5/lib drawbridge.pl QUEUE...        (Debian: -I/usr/share/request-tracker5/lib)
#
# It adds the custom field "Drawbridge Key" to the queues named, and the scrip "Drawbridge" for all queues. The scrip
# tells Drawbridge that a ticket which carries a key was changed by somebody else than its creator. It reads where to
# and the secret it signs with from RT_SiteConfig.pm, so put there before:
#
#   Set($DrawbridgeURL, 'https://bridge.example.com/in/rt');
#   Set($DrawbridgeSecret, 'at least 32 random characters');
#
# Set($DrawbridgeField, '...') names another field, if the connection has another key_field. Running it again does no
# harm and brings the scrip up to date.
use strict;
use warnings;
use RT;
RT::LoadConfig();
RT::Init();

my $system = RT->SystemUser;
my $name   = RT->Config->Get('DrawbridgeField') || 'Drawbridge Key';

my $field = RT::CustomField->new($system);
$field->LoadByCols( Name => $name, LookupType => 'RT::Queue-RT::Ticket' );
unless ( $field->Id ) {
    my ( $ok, $said ) = $field->Create(
        Name        => $name,
        Type        => 'FreeformSingle',
        LookupType  => 'RT::Queue-RT::Ticket',
        Description => 'Set by Drawbridge when it opens a ticket; nobody else needs to change it',
    );
    die "custom field $name: $said\n" unless $ok;
    print "added custom field $name\n";
}
for my $queue_name (@ARGV) {
    my $queue = RT::Queue->new($system);
    $queue->Load($queue_name);
    die "there is no queue $queue_name\n" unless $queue->Id;
    next if $field->IsAdded( $queue->Id ) || $field->IsAdded(0);
    my ( $ok, $said ) = $field->AddToObject($queue);
    die "custom field $name, queue $queue_name: $said\n" unless $ok;
    print "added custom field $name to queue $queue_name\n";
}

# Runs after all changes of one request are made and committed, once for them all.
my $commit = <<'COMMIT';
require Digest::SHA;
require JSON;
require LWP::UserAgent;
my $url    = RT->Config->Get('DrawbridgeURL');
my $secret = RT->Config->Get('DrawbridgeSecret');
unless ( $url && $secret ) {
    RT->Logger->error('Drawbridge: DrawbridgeURL or DrawbridgeSecret is not set');
    return 1;
}
my $batch  = $self->TicketObj->TransactionBatch || [];
my $last   = @$batch ? $batch->[-1] : $self->TransactionObj;
my $time   = time;
my $body   = JSON->new->utf8->canonical->encode( { ticket => $self->TicketObj->Id + 0, transaction => $last->Id + 0 } );
my $answer = LWP::UserAgent->new( timeout => 3, max_redirect => 0 )->post(
    $url,
    'Content-Type'           => 'application/json',
    'X-Drawbridge-Timestamp' => $time,
    'X-Drawbridge-Signature' => 'sha256=' . Digest::SHA::hmac_sha256_hex( "$time.$body", $secret ),
    Content                  => $body,
);
# A notice that is lost is made up for by Drawbridge, which asks for changed tickets as well.
RT->Logger->warning( 'Drawbridge: ' . $answer->status_line ) unless $answer->is_success;
1;
COMMIT

my $prepare = <<'PREPARE';
my $ticket = $self->TicketObj;
my $name   = RT->Config->Get('DrawbridgeField') || 'Drawbridge Key';
return 0 unless defined $ticket->FirstCustomFieldValue($name);
my $batch = $ticket->TransactionBatch || [ $self->TransactionObj ];
return scalar grep { $_->Creator != $ticket->Creator } @$batch;
PREPARE

my $scrips = RT::Scrips->new($system);
$scrips->Limit( FIELD => 'Description', VALUE => 'Drawbridge' );
my $scrip = $scrips->First;
if ($scrip) {
    $scrip->SetCustomPrepareCode($prepare) if $scrip->CustomPrepareCode ne $prepare;
    $scrip->SetCustomCommitCode($commit)   if $scrip->CustomCommitCode ne $commit;
    print "scrip Drawbridge is up to date\n";
}
else {
    $scrip = RT::Scrip->new($system);
    my ( $ok, $said ) = $scrip->Create(
        Description       => 'Drawbridge',
        Queue             => 0,
        Stage             => 'TransactionBatch',
        ScripCondition    => 'On Transaction',
        ScripAction       => 'User Defined',
        Template          => 'Blank',
        CustomPrepareCode => $prepare,
        CustomCommitCode  => $commit,
    );
    die "scrip: $said\n" unless $ok;
    print "added scrip Drawbridge\n";
}
