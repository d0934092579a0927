#!/bin/sh
# After deploying: subscribes the app to events of new images, which takes a key that the app creates
# when it starts, and prints the next steps. It can be run again at any time. postdeploy.ps1 does the
# same in the same order.
set -eu

hooks=$(dirname "$0")
tell() { printf '%s\n' "$*"; }
fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

command -v az >/dev/null || fail "The Azure CLI is required in addition to azd: install it, run \`az login\`, then \`azd hooks run postdeploy\`."
subscription=$AZURE_SUBSCRIPTION_ID
group=$AZURE_RESOURCE_GROUP
app=$APP_NAME
topic=$EVENT_TOPIC
account=$IMAGES_ACCOUNT
container=$IMAGES_CONTAINER
pause=${HOOK_PAUSE:-10}
prefix="/blobServices/default/containers/$container/blobs/"
function=caption_image

again() {
    fail "$1" \
        "Until this is fixed, only the app's timer finds new images, ten minutes after their upload or later." \
        "Fix the cause, then run \`azd hooks run postdeploy\`."
}

# ---- Wait for the app to start: its functions are known, and it has created its key ---------------

key=""
functions=""
has() { printf '%s\n' "$functions" | grep -qxF "$app/$1"; }
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    functions=$(az functionapp function list --subscription "$subscription" -g "$group" -n "$app" --query "[].name" -o tsv 2>/dev/null) || functions=""
    key=$(az functionapp keys list --subscription "$subscription" -g "$group" -n "$app" --query "systemKeys.blobs_extension && 'there'" -o tsv 2>/dev/null) || key=""
    if has "$function" && [ "$key" = there ]; then break; fi
    [ "$try" != 1 ] || tell "Waiting for the app to start…"
    sleep "$pause"
done
has "$function" || again "The app does not have the function $function after $try tries: it did not start, or its roles are not effective yet. See its log: Application Insights, or \`az webapp log tail -g $group -n $app\`."
[ "$key" = there ] || again "The app has no key blobs_extension after $try tries; its blob trigger creates it. Restart the app: \`az functionapp restart -g $group -n $app\`."

# ---- The subscription -----------------------------------------------------------------------------

made=""
for try in 1 2 3 4 5; do
    made=$(az deployment group create --subscription "$subscription" -g "$group" -n image-events --template-file "$hooks/../events.bicep" --parameters topicName="$topic" imagesAccountName="$account" imagesContainer="$container" deletedQueue="$DELETED_QUEUE" deadLetterContainer="$DEAD_LETTER_CONTAINER" appName="$app" --query "properties.provisioningState" -o tsv) || made=""
    [ "$made" != Succeeded ] || break
    sleep "$pause"
done
[ "$made" = Succeeded ] || again "The Event Grid subscription \`created\` could not be created; see above. If it has another endpoint or an old key, delete it first: \`az eventgrid system-topic event-subscription delete -g $group --system-topic-name $topic -n created\`."

# Check the subscription as it is now, not as it was requested.
found=$(az eventgrid system-topic event-subscription show --subscription "$subscription" -g "$group" --system-topic-name "$topic" -n created --query "join(' ', [provisioningState, destination.endpointBaseUrl, filter.subjectBeginsWith])" -o tsv) || found=""
[ "$found" = "Succeeded $APP_URL/runtime/webhooks/blobs $prefix" ] || again "The Event Grid subscription \`created\` is not as it should be: ${found:-it does not exist}."
tell "Event Grid sends the app events of new images in $container."

# ---- Next steps -----------------------------------------------------------------------------------

tell ""
if has gallery; then tell "Gallery         $APP_URL/"; fi
tell "Health          $APP_URL/api/health"
tell "Captions        $APP_URL/api/captions?code=KEY"
tell "A key           az functionapp keys list -g $group -n $app --query functionKeys.default -o tsv"
tell "A first image   az storage blob upload --auth-mode login --account-name $account -c $container -n samples/cat.jpg -f samples/cat.jpg"
tell "                (your role may take some minutes to become effective)"
tell "Images that are already in the container are captioned automatically, from ten minutes after their"
tell "upload on; 10,000 are checked every five minutes. Copy other images in, for example with azcopy."
